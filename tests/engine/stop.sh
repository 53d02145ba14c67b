#!/bin/sh
# Ends the engine that start.sh made, and all containers in it. Its images stay for
# the next start; --purge removes them, the volume and the engine's own image.
set -eu

name=pgha-test-engine

case ${1:-} in
    '' | --purge) ;;
    *)
        echo "usage: $0 [--purge]" >&2
        exit 2
        ;;
esac

if docker container inspect "$name" >/dev/null 2>&1; then
    # Gives it time to end its containers, whose control groups and mounts would stay behind.
    docker container stop --time 30 "$name" >/dev/null
    docker container rm "$name" >/dev/null
fi
if [ "${1:-}" = --purge ]; then
    docker volume rm --force "$name" >/dev/null
    docker image rm --force "$name" >/dev/null 2>&1 || true
fi
