#!/usr/bin/env bash
# The whole test suite, on real containers.
#
#   ./test.sh             everything
#   ./test.sh quick       what needs no Docker: lints, unit, property and command line tests
#   ./test.sh soak        what takes too long for each change: a restore killed at each step and two more targets, the page
#                         about drills, PostgreSQL 16, two more workloads, PID 1 compiled in a container, 50 clusters in a row;
#                         40 minutes on 2 cores
#
# Clusters of the tests have instance numbers from 9000 upward and are removed at the end, also after
# a failure; logs of a failed cluster are kept in target/e2e-logs.
set -euo pipefail
cd "$(dirname "$0")"
. ./scripts/machine.sh

part=${1:-all}
missing=$(missing_packages)
have jq || missing+=" jq"
have tmux || missing+=" tmux"
have curl || missing+=" curl"
have chromedriver || missing+=" chromium chromium-driver"
have prometheus || missing+=" prometheus"
have psql || missing+=" postgresql-client"
have javac || missing+=" default-jdk-headless"
[ -e /usr/share/java/postgresql.jar ] || missing+=" libpostgresql-jdbc-java"
# shellcheck disable=SC2086
[ -z "$missing" ] || install_packages $missing
ensure_rust

step() { printf '\n== %s\n' "$*"; }

step "format and lints"
cargo fmt --all --check
rustfmt --check --edition 2024 crates/pgha-node/shim/lib.rs
cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet --document-private-items

step "licences of dependencies"
./scripts/licences.sh

step "unit, property and command line tests"
cargo test --workspace --locked

step "generated files are as they would be generated now"
./scripts/generated.sh --check

[ "$part" = quick ] && exit 0

ensure_engine
step "the released binary, and the images that it builds on a machine with nothing but Docker"
./tests/release.sh
cluster_tests() { cargo test --locked --package pgha --test cluster -- --ignored --nocapture "$@"; }
if [ "$part" = soak ]; then
    step "more restores, the page about drills, PID 1 compiled in a container"
    cluster_tests --test-threads=1 soak::
    step "many clusters in a row"
    bench/ups.sh
    exit
fi
step "the cluster tests, on $(docker version --format 'Docker {{.Server.Version}}'), three at a time"
cluster_tests --test-threads=3 --skip beside:: --skip alone:: --skip soak::
step "those that measure distances and take ports; beside them the main path on a current engine"
mkdir -p target
./tests/engine/main-path.sh > target/main-path.log 2>&1 &
trap wait EXIT
cluster_tests --test-threads=2 beside::
wait $! || { cat target/main-path.log; exit 1; }
cat target/main-path.log
step "that which restarts the engine"
cluster_tests alone::
