#!/bin/sh
# unpack-debs.sh ROOT PACKAGE[=VERSION]...
#
# Downloads Debian packages and unpacks them under ROOT instead of installing
# them. So no maintainer script runs (they start daemons and generate host keys)
# and nothing comes along that the programs here do without: LLVM, perl, documentation,
# translations, service files. The shared libraries that the packages do need are
# listed in ROOT/usr/share/pgha/libraries/<last part of ROOT>, for apt to install.
set -eu

root=$1
shift
debs=$(mktemp -d)

# apt drops its privileges to download.
chmod 777 "$debs"
(cd "$debs" && apt-get download "$@")

mkdir -p "$root/usr/share/pgha/libraries"
for deb in "$debs"/*.deb; do
    dpkg-deb --extract "$deb" "$root"
    dpkg-deb --field "$deb" Depends
done |
    # "libfoo1 (>= 1.2) | libfoo1-alternative, perl, tzdata" gives "libfoo1" and "tzdata".
    tr ',' '\n' | sed 's/^ *//; s/[ (|:].*//' |
    grep -E '^(lib|tzdata)' | grep -Ev '^libllvm|-perl$' |
    sort -u > "$root/usr/share/pgha/libraries/$(basename "$root")"
rm -r "$debs"

cd "$root"
rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/lintian usr/share/bug \
    usr/share/apport usr/lib/systemd usr/lib/tmpfiles.d usr/lib/sysusers.d \
    etc/init.d etc/default etc/logrotate.d etc/pam.d etc/ufw etc/runit usr/share/runit
find . -type d -empty -delete
