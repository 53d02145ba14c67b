#!/bin/sh
# layers.sh MAJOR [OPTION of docker build]...
#
# Builds everything of the images but their last layer, which is pgha's own binary. It needs nothing that is
# compiled, so it can run while cargo does; `pgha build` runs it, and then adds the binary.
set -eu

base=debian:trixie-slim
suite=trixie
# What this host trusts goes into throw-away stages only, for hosts whose way out re-signs TLS.
certificates=/etc/ssl/certs/ca-certificates.crt

major=$1
shift
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# Without buildx a current `docker` refuses to build unless told to use the old builder.
docker buildx version > /dev/null 2>&1 || export DOCKER_BUILDKIT=0

if ! docker image inspect "$base" > /dev/null 2>&1 && ! docker pull --quiet "$base"; then
    echo "$base cannot be pulled here: making it from Debian's packages"
    if ! command -v mmdebstrap > /dev/null; then
        echo "$base can be neither pulled nor made: \`apt-get install mmdebstrap\` lets pgha make it"
        exit 1
    fi
    mmdebstrap --variant=minbase \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        "$suite" "$work/base.tar"
    docker import "$work/base.tar" "$base"
    rm "$work/base.tar"
fi

mkdir "$work/context"
cp -r "$here/." "$work/context/"
if [ -e "$certificates" ]; then cp -L "$certificates" "$work/context/host-ca.crt"; fi
docker build --target below --build-arg "PG_MAJOR=$major" "$@" "$work/context"
