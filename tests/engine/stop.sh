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
    docker container stop --time 30 "$name" >/dev/null
    docker container rm "$name" >/dev/null
    # Its subtree of the host's control groups outlives it, empty.
    docker container run --rm --cgroupns host --volume /sys/fs/cgroup:/sys/fs/cgroup "$name" \
        find /sys/fs/cgroup -depth -type d \( -name "$name" -o -path "*/$name/*" \) -exec rmdir {} +
fi
if [ "${1:-}" = --purge ]; then
    docker volume rm --force "$name" >/dev/null
    docker image rm --force "$name" >/dev/null 2>&1 || true
fi
