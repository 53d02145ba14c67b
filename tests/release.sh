#!/usr/bin/env bash
# The released binary on a machine with nothing but Docker: build, up, status, down.
#
# The machine is a container with a docker command and Compose, which works on this machine's engine. It has neither a
# toolchain nor this checkout; the binary is what scripts/release.sh makes. The images stay, for the cluster tests.
# Ends with PASSED or FAILED, and status 0 or 1.
set -euo pipefail
cd "$(dirname "$0")/.."

machine=pgha-test-engine
name=released
instance=9300
id=$name-$instance
certificates=/etc/ssl/certs/ca-certificates.crt

step() { printf '  %3s s  %s\n' "$SECONDS" "$*"; }

fail() {
    echo "error: $*" >&2
    exit 1
}

things() {
    local filter="label=pgha.instance=$instance"
    docker container ls --all --quiet --filter "$filter"
    docker network ls --quiet --filter "$filter"
    docker volume ls --quiet --filter "$filter"
}

finish() {
    local status=$?
    trap - EXIT
    if [ -n "${folder:-}" ]; then
        [ -z "$(things)" ] || pgha down "$id" --volumes --yes > /dev/null 2>&1 || true
        rm -rf "$folder"
    fi
    if [ $status != 0 ]; then
        echo "FAILED: the released binary"
        exit 1
    fi
    echo "PASSED: the released binary ($SECONDS s)"
}
trap finish EXIT

# The base image cannot be pulled everywhere, and the machine below has nothing to make it with. So this machine makes it,
# and all layers over it meanwhile, and the image of that machine.
layers_log=$(mktemp)
{ images/layers.sh 17 && ./tests/engine/image.sh; } > "$layers_log" 2>&1 &
layers=$!
./scripts/release.sh binary --quick
wait "$layers" || fail "the images cannot be built: $(tail -n 20 "$layers_log")"
rm -f "$layers_log"
released=${CARGO_TARGET_DIR:-$PWD/target}/release-files/pgha
step "the binary is made"

# The folder has the same path in there, since the engine mounts the cluster's secrets from it.
folder=$(mktemp -d)
options=(--rm --network host --workdir "$folder" --volume "$folder:$folder")
options+=(--volume "$released:/usr/local/bin/pgha:ro")
options+=(--volume "$(docker context inspect --format '{{.Endpoints.docker.Host}}' | cut -d : -f 2):/var/run/docker.sock")
[ ! -e $certificates ] || options+=(--volume "$certificates:$certificates:ro")
# With the builder of this machine, layers that are there are found there.
docker buildx version > /dev/null 2>&1 || options+=(--env DOCKER_BUILDKIT=0)
on() { docker run "${options[@]}" $machine "$@"; }
pgha() { on pgha "$@"; }

for program in cargo rustc cc; do
    ! on sh -c "command -v $program" > /dev/null || fail "the machine has $program"
done
doctor=$(pgha doctor) || fail "doctor: $doctor"
grep -q 'this pgha carries all' <<< "$doctor" || fail "the binary carries nothing: $doctor"

pgha build 2>&1 | tail -n 1
step "build"

pgha up -n $name --instance $instance -c 2 > "$folder/up" 2>&1 || fail "up: $(cat "$folder/up")"
! grep -q building "$folder/up" || fail "up builds again what build has built: $(cat "$folder/up")"
view=$(pgha status $id --json)
grep -q '"problems": \[\]' <<< "$view" || fail "status: $view"
grep -q '"state": "streaming"' <<< "$view" || fail "no replica streams: $view"
step "up and status: a leader, and a replica streams"

pgha down $id --volumes --yes 2> /dev/null
left=$(things)
[ -z "$left" ] || fail "down --volumes has left: $left"
step "down leaves nothing"
