#!/usr/bin/env bash
# Makes a release for this machine's architecture, in target/release-files:
#
#   pgha                            one static binary that carries the images' context and PID 1
#   pgha-VERSION-linux-ARCH.tar.gz  that with man pages, completions, licences and documents
#   pgha_VERSION-1_ARCH.deb         the same as a Debian package; cargo-deb makes it
#
#   scripts/release.sh              all three
#   scripts/release.sh binary       the binary alone; --quick does not optimise it, for tests
set -euo pipefail
cd "$(dirname "$0")/.."
. ./scripts/machine.sh

part=${1:-all}
profile=release
case ${2:-} in
    '') ;;
    --quick) profile=dev ;;
    *) fail "unknown argument: $2" "scripts/release.sh [binary [--quick]]" ;;
esac
case $part in
    all) have cargo-deb || fail "there is no cargo-deb, which makes the Debian package" "cargo install --locked cargo-deb" ;;
    binary) ;;
    *) fail "unknown part: $part" "scripts/release.sh [binary [--quick]]" ;;
esac
ensure_rust

target=$(uname -m)-unknown-linux-gnu
built=${CARGO_TARGET_DIR:-$PWD/target}/$target
out=${CARGO_TARGET_DIR:-$PWD/target}/release-files
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

# static PROFILE PACKAGE: with a target named, the flags are not those of build scripts.
static() {
    RUSTFLAGS="-C target-feature=+crt-static" \
        cargo build --profile "$1" --locked --quiet --target "$target" --package "$2"
}

# Packs files, as tar names them, the same whenever and by whomever that is done.
pack() {
    tar --create --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime=@0 "$@" \
        | gzip --best --no-name
}

say "compiling PID 1, which the binary carries"
static release pgha-node
pack images --directory "$built/release" pgha-node > "$work/carried.tar.gz"
# Unchanged, it keeps its time, by which cargo knows whether there is something to compile.
cmp --quiet "$work/carried.tar.gz" "$out/carried.tar.gz" || cp "$work/carried.tar.gz" "$out/"

say "compiling pgha"
PGHA_CARRIED=$out/carried.tar.gz static $profile pgha
install -m 755 "$built/${profile/dev/debug}/pgha" "$out/pgha"
say "$out/pgha: $("$out/pgha" --version), $(du -h "$out/pgha" | cut -f 1)"
[ "$part" = all ] || exit 0

version=$("$out/pgha" --version | cut -d ' ' -f 2)
name=pgha-$version-linux-$(uname -m)
release=$work/$name
mkdir -p "$release"/{man,completions}
cp "$out/pgha" README.md CHANGELOG.md LICENSE-* "$release/"
cp docs/man/*.1 "$release/man/"
for shell in bash zsh fish; do
    "$out/pgha" completions $shell > "$release/completions/pgha.$shell"
done
pack --directory "$work" "$name" > "$out/$name.tar.gz"
say "$out/$name.tar.gz"

# What the package holds is in crates/pgha/Cargo.toml, below package.metadata.deb.
rm -rf "$out/completions"
cp -r "$release/completions" "$out/"
cargo deb --package pgha --target "$target" --no-build --no-strip --quiet --output "$out/"
