#!/usr/bin/env bash
# What each way to the leader costs, and how soon it follows a new one: libpq with all nodes, HAProxy, and PgBouncer before
# HAProxy, all from one client inside DC1. Prints a table.
#
#   bench/proxies.sh                       3 runs, some 20 minutes
#   bench/proxies.sh --runs 1 --seconds 5
#   bench/proxies.sh -- -d 3 -c 1          other flags of `pgha up` (default: -d 2 -c 2 --durability quorum --timers fast)
#
# The cluster has an instance number from 9900 upward and is removed at the end, also after a failure. Needs the images
# (`pgha build`), jq, and a machine that does nothing else. PGHA=FILE measures that binary instead of a release build.
set -euo pipefail
cd "$(dirname "$0")/.."
. ./scripts/machine.sh

runs=3 seconds=15 flags=(-d 2 -c 2 --durability quorum --timers fast)
while [ $# -gt 0 ]; do
    case $1 in
        --runs) runs=${2:?a number}; shift ;;
        --seconds) seconds=${2:?a number}; shift ;;
        -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
        --) shift; flags=("$@"); break ;;
        *) fail "unknown argument: $1" "bench/proxies.sh --help" ;;
    esac
    shift
done
[ "$runs" -ge 1 ] 2> /dev/null || fail "not a number of runs: $runs"
first_instance=9900
. ./bench/clusters.sh

took_up "${flags[@]}" --proxy haproxy,pgbouncer
cluster=bench-$instance
client=pgha-proxy-DC1-$instance
strings=$("$PGHA" connect "$cluster" --site DC1 --json 2>> "$log")
password=$(sed -n 's/^\*:\*:\*:postgres://p' "$work/$instance/docker-compose.secrets/pgpass")
# No password in an argument: libpq takes it from the variable.
way() { jq -r "$1.inside" <<< "$strings" | sed 's|//postgres:[^@]*@|//postgres@|'; }
names=("libpq, all nodes" "HAProxy" "HAProxy + PgBouncer")
ways=("$(way .read_write)" "$(way .proxies.read_write)" "$(way .proxies.pooled)")

# inside COMMAND...: in a client that stands in the site
inside() {
    PGPASSWORD=$password docker run --rm --network "container:$client" -e PGPASSWORD --entrypoint "$1" \
        pgha-pg17-patroni "${@:2}" 2>> "$log"
}
inside pgbench -i -q -s 10 "${ways[0]}" > /dev/null

# pgbench's latency in ms and its transactions in a second: bench WAY FLAGS...
bench() {
    inside pgbench -n -M simple -T "$seconds" "${@:2}" "$1" |
        awk '/^latency average/ { latency = $4 } /^tps/ { tps = $3 } END { print latency, tps }'
}

# The longest time between two acknowledged writes, each over a connection of its own, while something is done:
# gap WAY COMMAND...
gap() {
    local writer=pgha-bench-writer-$instance
    inside psql -Xqc 'create table if not exists beats (at timestamptz default clock_timestamp())' "${ways[0]}"
    # The variables are those of the client's shell.
    # shellcheck disable=SC2016
    PGPASSWORD=$password docker run -d --name "$writer" --network "container:$client" -e PGPASSWORD -e "WAY=$1" \
        --entrypoint bash pgha-pg17-patroni -c '
            while :; do
                timeout 10 psql -Xqc "insert into beats default values" "$WAY" > /dev/null 2>&1 && echo "$EPOCHREALTIME"
            done' > /dev/null
    sleep 5
    "${@:2}" >> "$log" 2>&1
    sleep 45
    docker logs "$writer" 2> /dev/null |
        awk 'NR > 1 && $1 - last > most { most = $1 - last } { last = $1 } END { printf "%.2f\n", most }'
    docker rm -f "$writer" > /dev/null
}

lose_leader() {
    local leader
    leader=$("$PGHA" status "$cluster" --json | jq -r '.leader')
    docker kill "$leader"
    sleep 40
    docker start "$leader"
}

whole() { "$PGHA" start "$cluster" >> "$log" 2>&1; }

for place in "${!ways[@]}"; do
    for _ in $(seq "$runs"); do
        one=$(bench "${ways[$place]}" -S -c 1) many=$(bench "${ways[$place]}" -c 8 -j 2) again=$(bench "${ways[$place]}" -S -c 1 -C)
        switched=$(gap "${ways[$place]}" "$PGHA" switchover "$cluster")
        whole
        lost=$(gap "${ways[$place]}" lose_leader)
        whole
        echo "$one $many $again $switched $lost" >> "$work/way-$place"
        say "${names[$place]}: $(tail -n 1 "$work/way-$place")"
    done
done
remove "$instance"

# median FILE COLUMN
median() { awk -v c="$2" '{ print $c }' "$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

report() {
    echo "$(date +%F), $(nproc) cores, Docker $(docker version -f '{{.Server.Version}}'), $("$PGHA" --version)," \
        "\`up ${flags[*]}\`, medians of $runs; load at the end $(cut -d ' ' -f 1 /proc/loadavg)."
    echo
    echo "| way | read, 1 client | reads, 1 client | read, new connection each | writes, 8 clients | no writes: switchover | no writes: leader killed |"
    echo "|---|---:|---:|---:|---:|---:|---:|"
    for place in "${!ways[@]}"; do
        local file=$work/way-$place
        echo "| ${names[$place]} | $(median "$file" 1) ms | $(median "$file" 2)/s | $(median "$file" 5) ms |" \
            "$(median "$file" 4)/s | $(median "$file" 7) s | $(median "$file" 8) s |"
    done
}
report > "$work/report"
cat "$work/report"
