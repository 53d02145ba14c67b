#!/usr/bin/env bash
# The main path of the README, by hand: up, status, a row across sites, stop, start, Compose
# without pgha, a restart of the engine, down.
#
#   main-path.sh          on a current engine in a container (start.sh), which is ended at the end
#   main-path.sh --here   on this machine's own engine, which is not restarted
#
# The images must have been built (pgha build). Ends with PASSED or FAILED, and status 0 or 1.
# PGHA names another binary than the debug build.
set -euo pipefail
cd "$(dirname "$0")/../.."

engine=pgha-test-engine
name=path
instance=9200
id=$name-$instance
images='pgha-etcd-3.5 pgha-wan pgha-pgbackrest pgha-pg17-patroni'
deadline_s=180
logs=target/e2e-logs/main-path

case ${1:-} in
    '') where=container ;;
    --here) where=here ;;
    *)
        echo "usage: $0 [--here]" >&2
        exit 2
        ;;
esac

step() { printf '  %3s s  %s\n' "$SECONDS" "$*"; }

# Runs a command where the engine is, in the cluster's folder.
on() {
    if [ $where = here ]; then
        (cd "$folder" && "$@")
    else
        docker exec --interactive --workdir "$folder" $engine "$@"
    fi
}

pgha() { on "$binary" "$@"; }

compose() {
    if on docker compose version >/dev/null 2>&1; then
        on docker compose "$@"
    else
        on docker-compose "$@"
    fi
}

things() {
    local filter="label=pgha.instance=$instance"
    on docker container ls --all --quiet --filter "$filter"
    on docker network ls --quiet --filter "$filter"
    on docker volume ls --quiet --filter "$filter"
}

finish() {
    local status=$?
    trap - EXIT
    if [ $status != 0 ] && [ -n "${folder:-}" ]; then
        mkdir -p "$logs"
        pgha status "$id" >"$logs/status.txt" 2>&1 || true
        for member in $(on docker container ls --all --format '{{.Names}}' \
            --filter "label=pgha.instance=$instance" || true); do
            on docker logs --timestamps "$member" >"$logs/$member.log" 2>&1 || true
        done
        echo "logs are kept in $logs"
    fi
    if [ -n "${folder:-}" ]; then
        [ -z "$(things)" ] || pgha down "$id" --volumes --yes >/dev/null 2>&1 || true
        on rm -rf "$folder" || true
    fi
    [ $where = here ] || ./tests/engine/stop.sh || status=1
    if [ $status = 0 ]; then
        echo "PASSED: the main path on $version ($SECONDS s)"
    else
        echo "FAILED: the main path on ${version:-an engine that did not start}"
        exit 1
    fi
}
trap finish EXIT

fail() {
    echo "error: $*" >&2
    exit 1
}

# The status once nothing is wrong: one leader, three streaming replicas, no problem.
whole() {
    local began=$SECONDS seen=
    until
        seen=$(pgha status "$id" --json 2>&1) &&
            grep -q '"problems": \[\]' <<<"$seen" &&
            grep -q '"leader": "pgha-' <<<"$seen" &&
            [ "$(grep -c '"state": "streaming"' <<<"$seen")" = 3 ]
    do
        [ $((SECONDS - began)) -lt $deadline_s ] || fail "not whole after $deadline_s s: $seen"
        sleep 0.5
    done
    view=$seen
}

# Addresses of all members, as status has them.
addresses() { grep -o '"address": "[0-9.]*"' <<<"$view"; }

# SQL through the line that up printed.
write() { on sh -c "$line -X -q -v ON_ERROR_STOP=1 -c \"$1\""; }

# Waits until a replica in the site that does not lead has as many rows.
read_far() {
    local leader far began=$SECONDS
    leader=$(grep -m 1 -o '"leader": "[^"]*"' <<<"$view" | cut -d '"' -f 4)
    case $leader in
        *-DC1-*) far=pgha-${name}1-DC2-$instance ;;
        *) far=pgha-${name}1-DC1-$instance ;;
    esac
    until [ "$(on docker exec "$far" psql -XAt -U postgres -c 'select count(*) from kept' 2>&1)" = "$1" ]; do
        [ $((SECONDS - began)) -lt 30 ] || fail "$far does not have $1 rows"
        sleep 0.2
    done
}

if [ -n "${PGHA:-}" ]; then
    built=$PGHA
else
    cargo build --quiet --locked --package pgha
    built=${CARGO_TARGET_DIR:-target}/debug/pgha
fi
if [ $where = here ]; then
    binary=$(realpath "$built")
    folder=$(mktemp -d)
else
    ./tests/engine/start.sh 2>/dev/null
    folder=$(docker exec $engine mktemp -d)
    docker cp "$built" $engine:/usr/local/bin/pgha >/dev/null
    binary=/usr/local/bin/pgha
    pgha --version >/dev/null 2>&1 ||
        fail "$built does not run there; build it with RUSTFLAGS='-C target-feature=+crt-static' and set PGHA"
fi
version="Docker $(on docker version --format '{{.Server.Version}}'), $(compose version | head -n 1)"
echo "the main path on $version"

for image in $images; do
    ours=$(docker image inspect --format '{{.Id}}' "$image") || fail "no image $image: pgha build"
    [ $where = here ] ||
        [ "$(docker exec $engine docker image inspect --format '{{.Id}}' "$image" 2>/dev/null)" = "$ours" ] ||
        missing="${missing:-} $image"
done
if [ -n "${missing:-}" ]; then
    # shellcheck disable=SC2086
    docker save $missing | docker exec --interactive $engine docker load >/dev/null
    step "images are loaded:$missing"
fi
if ! on sh -c 'command -v psql' >/dev/null; then
    # The line that up prints is for a psql of the host: this is one.
    [ $where = container ] || fail "psql is missing: apt-get install postgresql-client"
    on sh -c 'cat >/usr/local/bin/psql && chmod 755 /usr/local/bin/psql' <<'END'
#!/bin/sh
exec docker run --rm --network host --volume "$PGPASSFILE:/pgpass:ro" --env PGPASSFILE=/pgpass \
    --entrypoint psql pgha-pg17-patroni "$@"
END
fi

line=$(pgha up -n $name --instance $instance -d 2 -c 2 2>/dev/null)
whole
before=$(addresses)
[ "$(wc -l <<<"$before")" = 8 ] || fail "addresses: $before"
step "up: one leader, three replicas stream"

write "create table kept (n int); insert into kept values (1)"
read_far 1
step "a row written through the printed line is read in the other site"

pgha stop "$id" 2>/dev/null
[ -z "$(on docker container ls --quiet --filter "label=pgha.instance=$instance")" ] || fail "stop left some running"
pgha start "$id" >/dev/null 2>&1
whole
read_far 1
step "stop and start keep it"

compose down >/dev/null 2>&1
[ -z "$(on docker container ls --all --quiet --filter "label=pgha.instance=$instance")" ] || fail "Compose left some"
compose up -d >/dev/null 2>&1
whole
[ "$(addresses)" = "$before" ] || fail "other addresses: $(addresses)"
write "insert into kept values (2)"
read_far 2
step "Compose alone: down and up -d keep data and addresses"

if [ $where = container ]; then
    docker container restart --time 60 $engine >/dev/null
    until docker exec $engine docker version >/dev/null 2>&1; do
        [ "$(docker container inspect --format '{{.State.Running}}' $engine)" = true ] || fail "the engine ended"
        sleep 0.5
    done
    whole
    [ "$(addresses)" = "$before" ] || fail "other addresses: $(addresses)"
    write "insert into kept values (3)"
    read_far 3
    step "the engine restarted: the cluster came back by itself"
fi

pgha down "$id" --volumes --yes 2>/dev/null
left=$(things)
[ -z "$left" ] || fail "down --volumes has left: $left"
step "down --volumes leaves nothing"
