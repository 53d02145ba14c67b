#!/bin/sh
# Starts a current Docker engine, whatever this machine's own is, for tests that
# must hold on both. It runs in a container of the image that image.sh makes: Docker 28.5,
# Compose 2.40, Buildx. Takes 30 s the first time, then 3 s; a second run changes nothing.
# stop.sh ends it.
set -eu

name=pgha-test-engine
deadline_s=60
here=$(dirname "$0")

fail() {
    echo "error: $1" >&2
    [ -z "${2:-}" ] || echo "hint: $2" >&2
    exit 1
}

docker version >/dev/null 2>&1 || fail "no Docker engine answers" "start it, and see docker version"

"$here/image.sh"

if [ -z "$(docker container ls --quiet --filter "name=^$name\$")" ]; then
    docker container rm --force "$name" >/dev/null 2>&1 || true
    # An engine mounts, makes namespaces and devices, and writes sysctls and control groups:
    # the capabilities below do, where --privileged may be refused. On control groups v1 it
    # has to share the host's, so its containers get a subtree of their own (entrypoint.sh).
    # Overlays do not nest, hence a volume for its data.
    docker container create --name "$name" --hostname "$name" \
        --cap-add SYS_ADMIN --cap-add NET_ADMIN --cap-add SYS_PTRACE \
        --cap-add DAC_READ_SEARCH --cap-add SYS_NICE --cap-add IPC_LOCK \
        --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
        --cgroupns host --volume /sys/fs/cgroup:/sys/fs/cgroup \
        --device-cgroup-rule 'a *:* rwm' \
        --volume "$name:/var/lib/docker" \
        "$name" /bin/sh /entrypoint.sh >/dev/null
    docker container cp "$here/entrypoint.sh" "$name:/entrypoint.sh" >/dev/null
    docker container start "$name" >/dev/null
fi

waited_s=0
until docker exec "$name" docker version >/dev/null 2>&1; do
    if [ "$waited_s" -ge "$deadline_s" ]; then
        docker container logs --tail 30 "$name" >&2
        fail "the engine in $name did not answer within $deadline_s s; its log ends as above"
    fi
    sleep 1
    waited_s=$((waited_s + 1))
done

docker exec "$name" docker version --format 'Docker {{.Server.Version}}' >&2
docker exec "$name" docker compose version >&2
cat >&2 <<END
run a command in it:  docker exec $name docker ps
give it images:       docker save IMAGE... | docker exec -i $name docker load
give it a file:       docker cp FILE $name:/root/
end it:               $here/stop.sh [--purge]
END
