#!/usr/bin/env bash
# Makes the files of this repository that pgha itself generates; `--check` fails where one differs.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked --quiet --package pgha
pgha=${CARGO_TARGET_DIR:-target}/debug/pgha
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

mkdir -p "$out/docs/man"
"$pgha" plan -d 2 -c 2 --svg "$out/docs/topology.svg" > /dev/null 2>&1
"$pgha" man "$out/docs/man" > /dev/null

if [ "${1:-}" = --check ]; then
    diff -r "$out/docs/man" docs/man && diff "$out/docs/topology.svg" docs/topology.svg \
        || { echo "hint: ./scripts/generated.sh makes them anew" >&2; exit 1; }
else
    mkdir -p docs/man
    cp "$out/docs/topology.svg" docs/
    rm -f docs/man/*.1
    cp "$out"/docs/man/*.1 docs/man/
fi
