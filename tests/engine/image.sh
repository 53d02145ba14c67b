#!/bin/sh
# Makes the image pgha-test-engine from Debian testing's packages, where it is not there yet: Docker 28.5, Compose 2.40,
# Buildx. Takes 30 s.
set -eu

name=pgha-test-engine

docker image inspect "$name" >/dev/null 2>&1 && exit
command -v mmdebstrap >/dev/null || {
    echo "error: mmdebstrap is missing" >&2
    echo "hint: apt-get install mmdebstrap" >&2
    exit 1
}
echo "making image $name from Debian testing's packages" >&2
tar=$(mktemp)
trap 'rm -f "$tar"' EXIT
# A mirror's copy of testing may be past its date; it is still signed.
mmdebstrap --quiet --variant=minbase --format=tar \
    --aptopt='Acquire::Check-Valid-Until "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --include=docker.io,docker-cli,docker-compose,docker-buildx,iproute2,iptables,ca-certificates,procps \
    forky "$tar"
docker import "$tar" "$name" >/dev/null
