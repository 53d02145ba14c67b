# What benchmarks of whole clusters share; sourced by them with `first_instance` set, from which the instance
# numbers of their clusters count. They are removed at the end, also after a failure.
# shellcheck shell=bash

have jq || fail "jq is missing" "apt-get install jq"
ensure_engine

if [ -z "${PGHA:-}" ]; then
    cargo build --release --locked --quiet --package pgha
    PGHA=$PWD/${CARGO_TARGET_DIR:-target}/release/pgha
fi
compose=(docker-compose)
if docker compose version > /dev/null 2>&1; then compose=(docker compose); fi
images=(pgha-wan pgha-etcd-3.5 pgha-pgbackrest pgha-pg17-patroni)
docker image inspect "${images[@]}" > /dev/null 2>&1 || fail "the images are not there" "$PGHA build"

work=$(mktemp -d)
log=$work/log
instance=$((first_instance - 1))
clean_up() {
    local status=$? number
    trap - EXIT INT TERM
    for number in $(seq "$first_instance" "$instance"); do remove "$number"; done
    [ "$status" = 0 ] || [ ! -e "$log" ] || tail -n 20 "$log" >&2
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# remove INSTANCE: a cluster of this script, if it is there
remove() {
    [ -d "$work/$1" ] || return 0
    "$PGHA" down "bench-$1" --volumes --yes >> "$log" 2>&1 || true
    rm -rf "${work:?}/$1"
}

# new_cluster FLAGS...: brings up the next cluster; its number is then in `instance`
new_cluster() {
    instance=$((instance + 1))
    mkdir "$work/$instance"
    (cd "$work/$instance" && "$PGHA" up -n bench --instance "$instance" "$@" >> "$log" 2>&1)
}

# took COMMAND...: milliseconds that it took
took() {
    local start=${EPOCHREALTIME/[.,]/}
    "$@" > /dev/null 2>> "$log"
    echo $(((${EPOCHREALTIME/[.,]/} - start) / 1000))
}

# new_cluster runs in this shell, since it counts instances
took_up() {
    local start=${EPOCHREALTIME/[.,]/}
    new_cluster "$@"
    up_ms=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
}

# summary MS...: min, median, max
summary() {
    printf '%s\n' "$@" | sort -n |
        awk '{ v[NR] = $1 } END { print v[1], (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2, v[NR] }'
}

# row WHAT "MS..." BASELINE "MS...": one line of a table
row() {
    # Lists of numbers are words.
    # shellcheck disable=SC2086
    echo "$(summary $2) $(summary $4) $(wc -w <<< "$2")" | awk -v what="$1" -v base="$3" '
        function t(ms) { return ms >= 2000 ? sprintf("%.1f s", ms / 1000) : sprintf("%d ms", ms) }
        { printf "| %s | %d | %s | %s | %s | %s %s | %.1f |\n",
            what, $7, t($1), t($2), t($3), base, t($5), ($5 > 0 ? $2 / $5 : 0) }'
}

times_header() {
    echo "| what | runs | min | median | max | baseline, median | ratio |"
    echo "|---|---:|---:|---:|---:|---|---:|"
}
