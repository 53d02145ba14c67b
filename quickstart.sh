#!/usr/bin/env bash
# From a fresh Debian-like machine to a running cluster of 2 data centers with 2 nodes each.
#
#   ./quickstart.sh          asks before it installs anything
#   ./quickstart.sh --yes    asks nothing (and neither does it without a terminal)
#
# A second run finds everything in place, changes nothing and prints the status again.
set -euo pipefail
cd "$(dirname "$0")"
. ./scripts/machine.sh

yes=false
for argument in "$@"; do
    case $argument in
        -y | --yes) yes=true ;;
        -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) fail "unknown argument: $argument" "./quickstart.sh --help" ;;
    esac
done
[ -t 0 ] || yes=true

missing=$(missing_packages)
if [ -n "$missing" ]; then
    if ! $yes; then
        read -r -p "install $missing from this machine's packages? [Y/n] " answer
        case $answer in '' | y | Y | yes) ;; *) fail "nothing was installed" ;; esac
    fi
    # The list is words for apt-get.
    # shellcheck disable=SC2086
    install_packages $missing
fi
ensure_rust
ensure_engine

say "building pgha"
cargo build --release --locked --quiet --package pgha
pgha=$PWD/${CARGO_TARGET_DIR:-target}/release/pgha

mkdir -p demo
cd demo
"$pgha" up -n demo -d 2 -c 2
"$pgha" status demo
say "pgha is $pgha; \`$pgha psql demo\` opens a session, \`$pgha down demo --volumes\` removes it all"
