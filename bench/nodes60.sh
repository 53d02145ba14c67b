#!/usr/bin/env bash
# 60 Postgres nodes in 10 data centers on this machine: brings them up, waits until all stream, and prints how long that took, the
# memory of each kind of member, and what gave way where it did not come up.
#
#   bench/nodes60.sh                     10 data centers of 6 nodes, some 10 minutes on 8 processors
#   bench/nodes60.sh --sites 5 --nodes 4
#   bench/nodes60.sh --timeout 3600      seconds that `pgha up` may take (default: 1800)
#   bench/nodes60.sh -- --durability quorum     further flags of `pgha up`
#
# The cluster has an instance number from 9950 upward and is removed at the end, also after a failure. The estimate of its memory is
# printed, not obeyed (`--force`): an idle replica takes less. Needs the images (`pgha build`), jq, and a machine that does nothing
# else. PGHA=FILE measures that binary instead of a release build.
set -euo pipefail
cd "$(dirname "$0")/.."
. ./scripts/machine.sh

sites=10 nodes=6 timeout=1800 flags=()
while [ $# -gt 0 ]; do
    case $1 in
        --sites) sites=${2:?a number}; shift ;;
        --nodes) nodes=${2:?a number}; shift ;;
        --timeout) timeout=${2:?seconds}; shift ;;
        -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
        --) shift; flags=("$@"); break ;;
        *) fail "unknown argument: $1" "bench/nodes60.sh --help" ;;
    esac
    shift
done
[ "$sites" -ge 1 ] 2> /dev/null || fail "not a number of data centers: $sites"
[ "$nodes" -ge 1 ] 2> /dev/null || fail "not a number of nodes: $nodes"
first_instance=9950
. ./bench/clusters.sh

# members ROLE: names of the containers of that role
members() {
    docker ps -a --filter "label=pgha.instance=$instance" --filter "label=pgha.role=$1" --format '{{.Names}}'
}

# available: bytes of memory that can be had without swapping
available() { awk '/^MemAvailable/ { print $2 * 1024 }' /proc/meminfo; }

# used ROLE: bytes of memory that the containers of a role use together, as `docker stats` counts them, and how many they are
used() {
    local names
    mapfile -t names < <(members "$1")
    [ ${#names[@]} -gt 0 ] || { echo 0 0; return; }
    docker stats --no-stream --format '{{.MemUsage}}' "${names[@]}" |
        sed 's| / .*||' | numfmt --from=iec-i --suffix=B --format=%.0f | tr -d B |
        awk '{ sum += $1 } END { printf "%.0f %d\n", sum, NR }'
}

# failed: what the members that died, or were killed for want of memory, have in common
failed() {
    echo "pgha up failed; its last lines:"
    tail -n 15 "$log"
    echo "members that do not run:"
    docker ps -a --filter "label=pgha.instance=$instance" --filter status=exited --format '  {{.Names}}  {{.Status}}'
    local name
    for name in $(docker ps -aq --filter "label=pgha.instance=$instance"); do
        docker inspect --format '{{if .State.OOMKilled}}  {{.Name}} was killed for want of memory{{end}}' "$name"
    done | sed '/^$/d'
    echo "problems:"
    "$PGHA" status "bench-$instance" --json 2>> "$log" |
        jq -r '.problems // [] | group_by(.code)[] | "  \(length) × \(.[0].code): \(.[0].message)"' || true
}

total=$((sites * nodes))
echo "$total nodes in $sites data centers; $(nproc) processors, $(available | numfmt --to=iec) of memory available"
"$PGHA" plan -d "$sites" -c "$nodes" ${flags[@]+"${flags[@]}"} 2>> "$log" | sed -n '/[Mm]emory/p'

before=$(available)
ended=0
took_up -d "$sites" -c "$nodes" --timeout "$timeout" --force --keep ${flags[@]+"${flags[@]}"} || ended=$?
cluster=bench-$instance
[ "$ended" = 0 ] || { failed; exit 1; }
view=$("$PGHA" status "$cluster" --json 2>> "$log")
streaming=$(jq '[.members[] | select(.role != null and .state == "streaming")] | length' <<< "$view")
problems=$(jq '.problems | length' <<< "$view")
echo
echo "| | |"
echo "|---|---:|"
printf '| \`pgha up\` until all stream | %.1f s |\n' "$(awk "BEGIN { print $up_ms / 1000 }")"
echo "| replicas that stream | $streaming of $((total - 1)) |"
echo "| problems in \`pgha status\` | $problems |"
printf '| \`pgha status\` | %d ms |\n' "$(took "$PGHA" status "$cluster")"
for role in postgres etcd backup wan; do
    read -r bytes count <<< "$(used "$role")"
    [ "$count" -gt 0 ] || continue
    echo "| memory of $count × $role, each | $((bytes / count / 1048576)) MiB |"
done
echo "| memory of the host, less afterwards | $(((before - $(available)) / 1048576)) MiB |"
[ "$streaming" = $((total - 1)) ] || { failed; exit 1; }
