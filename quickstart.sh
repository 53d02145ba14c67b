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

# The images need nothing that is compiled but their last layer. Both programs are compiled at once with the
# same flags, so that what they share is compiled once; that of the images has to be static.
say "building pgha and, meanwhile, the images (log: $PWD/target/quickstart.log)"
mkdir -p target
images/layers.sh 17 > target/quickstart.log 2>&1 &
layers=$!
trap 'kill "$layers" 2> /dev/null || true' EXIT
target=$(uname -m)-unknown-linux-gnu
RUSTFLAGS="-C target-feature=+crt-static" \
    cargo build --profile quickstart --locked --quiet --target "$target" --package pgha --package pgha-node
built=${CARGO_TARGET_DIR:-target}/$target/quickstart
pgha=$(realpath "$built/pgha")
if ! wait "$layers"; then
    tail -n 20 target/quickstart.log >&2
    fail "the images cannot be built: see above"
fi
trap - EXIT
"$pgha" build --node-binary "$built/pgha-node"

mkdir -p demo
cd demo
"$pgha" up -n demo -d 2 -c 2
"$pgha" status demo
say "pgha is $pgha; \`$pgha psql demo\` opens a session, \`$pgha down demo --volumes\` removes it all"
