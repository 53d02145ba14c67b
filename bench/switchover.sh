#!/usr/bin/env bash
# For how long writes are away when the leader is moved on purpose, and when every node is restarted one after the other, as two
# clients on this host see it. Prints a table.
#
#   bench/switchover.sh                    20 switchovers and 3 rolling restarts, some ten minutes
#   bench/switchover.sh --runs 5 --restarts 1
#   bench/switchover.sh -- -d 3 -c 1       other flags of `pgha up` (default: -d 2 -c 2 --durability quorum --timers fast)
#   bench/switchover.sh --write            puts the table into docs/measured.md as well
#
# The cluster has an instance number from 9800 upward and is removed at the end, also after a failure. Needs the images
# (`pgha build`), jq, and a machine that does nothing else. PGHA=FILE measures that binary instead of a release build.
set -euo pipefail
cd "$(dirname "$0")/.."
. ./scripts/machine.sh
. ./bench/measured.sh

runs=20 restarts=3 write=false flags=(-d 2 -c 2 --durability quorum --timers fast)
while [ $# -gt 0 ]; do
    case $1 in
        --runs) runs=${2:?a number}; shift ;;
        --restarts) restarts=${2:?a number}; shift ;;
        --write) write=true ;;
        -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
        --) shift; flags=("$@"); break ;;
        *) fail "unknown argument: $1" "bench/switchover.sh --help" ;;
    esac
    shift
done
[ "$runs" -ge 1 ] 2> /dev/null || fail "not a number of runs: $runs"
first_instance=9800
. ./bench/clusters.sh

took_up "${flags[@]}"
cluster=bench-$instance
for n in $(seq "$runs"); do
    "$PGHA" switchover "$cluster" --json > "$work/switchover-$n.json" 2> /dev/null
    say "switchover $n: $(jq -r '"\(.no_writes_ms) ms, \(.lost) lost"' "$work/switchover-$n.json")"
done
for n in $(seq "$restarts"); do
    "$PGHA" restart "$cluster" --rolling --json > "$work/restart-$n.json" 2> /dev/null
    say "rolling restart $n: $(jq -r '"\(.no_writes_total_ms) ms in all, \(.lost) lost"' "$work/restart-$n.json")"
done
remove "$instance"

# A row of the table: its name, the figure, and the reports.
row() {
    local name=$1 figure=$2
    shift 2
    [ -e "$1" ] || return 0
    jq -rs --arg name "$name" '
        def seconds: "\(. / 10 | round / 100) s";
        def at(p): sort | .[((length * p) | ceil) - 1];
        [.[]'"$figure"'] as $all |
        "| \($name) | \(length) | \($all | min | seconds) | \($all | at(0.5) | seconds) | \($all | at(0.95) | seconds) | \($all | max | seconds) | \([.[].acknowledged] | add) | \([.[].lost // 0] | add) |"
    ' "$@"
}

report() {
    echo "$(date +%F), $(nproc) cores, Docker $(docker version -f '{{.Server.Version}}'), $("$PGHA" --version)," \
        "\`up ${flags[*]}\`; load at the end $(cut -d ' ' -f 1 /proc/loadavg)."
    echo
    echo "| what | runs | no writes: min | median | p95 | max | acknowledged | lost |"
    echo "|---|---:|---:|---:|---:|---:|---:|---:|"
    row "\`pgha switchover\`" .no_writes_ms "$work"/switchover-*.json
    row "\`pgha restart --rolling\`, longest" .no_writes_ms "$work"/restart-*.json
    row "\`pgha restart --rolling\`, all together" .no_writes_total_ms "$work"/restart-*.json
}
report > "$work/report"
cat "$work/report"
if $write; then write_section switchover "$(< "$work/report")"; fi
