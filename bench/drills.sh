#!/usr/bin/env bash
# What failures cost: each drill on clusters of one shape, by durability. Prints a table: how long no write went, what was
# predicted, and whether acknowledged writes were lost.
#
#   bench/drills.sh                        3 runs of each drill with async and quorum, some 50 minutes
#   bench/drills.sh --runs 30 --durability quorum --drill leader-killed --drill site-lost
#   bench/drills.sh -- -d 3 -c 1           other flags of `pgha up` (default: -d 2 -c 2 --timers fast)
#   bench/drills.sh --write                puts the table into docs/measured.md as well
#
# Reports and histories are kept in target/bench/drills. With n runs without a loss the chance of one is below 3/n
# (95 %). Clusters have instance numbers from 9700 upward and are removed at the end, also after a failure. Needs the
# images (`pgha build`), jq, and a machine that does nothing else. PGHA=FILE measures that binary instead of a release build.
set -euo pipefail
cd "$(dirname "$0")/.."
. ./scripts/machine.sh
. ./bench/measured.sh

runs=3 write=false flags=(-d 2 -c 2 --timers fast) durabilities=() drills=()
while [ $# -gt 0 ]; do
    case $1 in
        --runs) runs=${2:?a number}; shift ;;
        --durability) durabilities+=("${2:?async, sync, strict or quorum}"); shift ;;
        --drill) drills+=("${2:?the name of a drill}"); shift ;;
        --write) write=true ;;
        -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
        --) shift; flags=("$@"); break ;;
        *) fail "unknown argument: $1" "bench/drills.sh --help" ;;
    esac
    shift
done
[ "$runs" -ge 1 ] 2> /dev/null || fail "not a number of runs: $runs"
[ ${#durabilities[@]} -gt 0 ] || durabilities=(async quorum)
[ ${#drills[@]} -gt 0 ] ||
    drills=(leader-stopped postgres-crash leader-killed site-lost site-isolated site-isolated-control)
first_instance=9700
. ./bench/clusters.sh

keep=$PWD/${CARGO_TARGET_DIR:-target}/bench/drills
mkdir -p "$keep"
for durability in "${durabilities[@]}"; do
    took_up "${flags[@]}" --durability "$durability"
    for drill in "${drills[@]}"; do
        report=$work/$durability-$drill.json
        # A drill that is refuted is a result, and so is one that is not for this durability.
        "$PGHA" drill run "$drill" "bench-$instance" --runs "$runs" --report "$keep" --yes --json > "$report" 2> "$report.err" || true
        if [ -s "$report" ]; then
            say "$durability, $drill: $(jq -r '.observed.outage_s | "\(.min) to \(.max) s without writes"' "$report")"
        else
            say "$durability, $drill: $(grep -m 1 error: "$report.err" || echo 'no report')"
        fi
    done
    remove "$instance"
done

report() {
    echo "$(date +%F), $(nproc) cores, Docker $(docker version -f '{{.Server.Version}}'), $("$PGHA" --version)," \
        "\`up ${flags[*]}\`; load at the end $(cut -d ' ' -f 1 /proc/loadavg)."
    echo
    echo "| durability | drill | runs | no writes: min | median | p95 | max | predicted, at most | acknowledged | lost | as predicted |"
    echo "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for durability in "${durabilities[@]}"; do
        for drill in "${drills[@]}"; do
            [ -s "$work/$durability-$drill.json" ] || continue
            jq -r --arg durability "$durability" '
                def seconds: if . == null then "-" else "\(. * 10 | round / 10) s" end;
                def at(p): sort | if length == 0 then null else .[((length * p) | ceil) - 1] end;
                [.runs[].rto_s | values] as $times | .runs as $runs |
                [$runs[] | select(.verdict.prediction == "confirmed" or .verdict.prediction == "better")] as $good |
                "| \($durability) | \(.drill) | \($runs | length) | \($times | min | seconds) | \($times | at(0.5) | seconds) | \($times | at(0.95) | seconds) | \($times | max | seconds) | \(.predicted.outage_max_s | seconds) | \([$runs[].ok] | add) | \([$runs[].lost // 0] | add) | \($good | length) of \($runs | length) |"
            ' "$work/$durability-$drill.json"
        done
    done
}
report > "$work/report"
cat "$work/report"
if $write; then write_section drills "$(< "$work/report")"; fi
