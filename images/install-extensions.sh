#!/bin/sh
# install-extensions.sh MAJOR ROOT PACKAGE...
#
# Unpacks Debian packages with extensions of PostgreSQL MAJOR under ROOT, as install-postgres.sh does with PostgreSQL
# itself, and from where that comes: Debian, or else the PostgreSQL project's repository.
set -eu

major=$1
root=$2
shift 2
here=$(dirname "$0")

say() { echo "install-extensions: $*"; }

source=$(cat /usr/share/pgha/postgres-source)
apt-get update
case $source in
    Debian) ;;
    PyPI)
        say "error: PostgreSQL $major comes from PyPI here, and there are no packages with extensions for it"
        exit 1
        ;;
    *)
        apt-get install -y --no-install-recommends postgresql-client-common ca-certificates > /dev/null
        sh /usr/share/postgresql-common/pgdg/*.sh -y
        ;;
esac
for package in "$@"; do
    if [ -z "$(apt-cache madison "$package")" ]; then
        say "error: $source has no package $package"
        exit 1
    fi
done
sh "$here/unpack-debs.sh" "$root" "$@"
rm -rf "$root/usr/lib/postgresql/$major/lib/bitcode"

# What a maintainer script would have made: `postgis.control` for `postgis-3.control`.
for control in "$root/usr/share/postgresql/$major/extension/"*-[0-9].control; do
    [ -e "$control" ] || continue
    link=${control%-[0-9].control}.control
    [ -e "$link" ] || ln -s "$(basename "$control")" "$link"
done
