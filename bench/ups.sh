#!/usr/bin/env bash
# Many clusters in a row: how long `up`, `stop` and `down --volumes` take, how far the slowest are from the median,
# and where each second of `up` goes. Prints tables.
#
#   bench/ups.sh                      50 runs of 2 × 2 nodes, some 20 minutes; each second one is stopped as well
#   bench/ups.sh --runs 10            fewer or more of them
#   bench/ups.sh -- --durability quorum   other flags of `pgha up` (default: -d 2 -c 2)
#   bench/ups.sh --write              puts the tables into docs/measured.md as well
#
# The logs of runs that took more than twice the median so far are kept in target/bench/slow-<run>.
# Clusters have instance numbers from 9600 upward and are removed at the end, also after a failure.
# Needs the images (`pgha build`), jq, and a machine that does nothing else. PGHA=FILE measures that
# binary instead of a release build.
set -euo pipefail
cd "$(dirname "$0")/.."
. ./scripts/machine.sh
. ./bench/measured.sh

runs=50 write=false flags=(-d 2 -c 2)
while [ $# -gt 0 ]; do
    case $1 in
        --runs) runs=${2:?a number}; shift ;;
        --write) write=true ;;
        -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
        --) shift; flags=("${flags[@]}" "$@"); break ;;
        *) fail "unknown argument: $1" "bench/ups.sh --help" ;;
    esac
    shift
done
[ "$runs" -ge 2 ] 2> /dev/null || fail "not a number of runs, 2 at least: $runs"
first_instance=9600
. ./bench/clusters.sh

keep=$PWD/${CARGO_TARGET_DIR:-target}/bench
rm -rf "$keep"/slow-*

# members FORMAT [FILTER]: of the current cluster
members() {
    local filter=()
    [ $# -lt 2 ] || filter=(--filter "$2")
    docker ps -a --filter "label=pgha.instance=$instance" "${filter[@]}" --format "$1"
}

# keep_logs RUN: of every member, and Postgres's own
keep_logs() {
    local to=$keep/slow-$1 member
    mkdir -p "$to"
    for member in $(members '{{.Names}}'); do docker logs -t "$member" > "$to/$member" 2>&1; done
    for member in $(members '{{.Names}}' label=pgha.role=postgres); do
        docker exec "$member" sh -c 'cat "$DATADIR"/log/*.log' > "$to/$member.postgres" 2>&1 || true
    done
}

# steps START: for each step of the current cluster its name and the seconds from START (as `date +%s.%N` prints it)
# to its last occurrence, or its first in each member where that is the one that counts
steps() {
    {
        docker events --since "$1" --until "$(date +%s.%N)" --format '{{.TimeNano}} {{.Type}} {{.Action}} {{.Actor.ID}} {{.Actor.Attributes.name}}' |
            awk -v n="-$instance" '$NF ~ n "$" && /network create|volume create|container start/ { printf "%.3f %s %s\n", $1 / 1e9, $2, $3 }'
        local member
        for member in $(members '{{.Names}}'); do
            docker logs -t "$member" 2>&1 | awk '
                /initialized a new cluster/ { step = "database made" }
                /replica has been created/ { step = "replicas cloned" }
                /a secondary, and following/ && !seen++ { step = "replicas follow" }
                /stanza-create is done/ { step = "stanza made" }
                /pgha-node: check is done/ { step = "first WAL archived" }
                step != "" { print $1, step; step = "" }'
        done | while read -r at step; do echo "$(date -d "$at" +%s.%N) $step"; done
    } | awk -v start="$1" '
        { at = $1 - start; sub(/^[^ ]* /, ""); if (at > last[$0]) last[$0] = at }
        END { for (step in last) printf "%s\t%.3f\n", step, last[step] }'
}

# percentile P MS...
percentile() {
    local p=$1
    shift
    printf '%s\n' "$@" | sort -n | awk -v p="$p" '{ v[NR] = $1 } END { n = int(NR * p + 0.999999); print v[n < 1 ? 1 : n] }'
}

# spread WHAT "MS...": one line of a table
spread() {
    # Lists of numbers are words.
    # shellcheck disable=SC2086
    echo "$(summary $2) $(percentile 0.99 $2) $(wc -w <<< "$2") $(percentile 0.5 $ours)" | awk -v what="$1" '
        { printf "| %s | %d | %.1f s | %.1f s | %.1f s | %.1f s | %.1f | %.1f |\n",
            what, $5, $1 / 1000, $2 / 1000, $4 / 1000, $3 / 1000, $4 / $2, $2 / $6 }'
}

ups='' stops='' downs='' ours=''
for run in $(seq "$runs"); do
    start=$(date +%s.%N)
    took_up "${flags[@]}"
    steps "$start" >> "$work/steps"
    printf 'ready\t%s\n' "$(awk -v ms="$up_ms" 'BEGIN { print ms / 1000 }')" >> "$work/steps"
    # What Compose takes to look at the cluster and do nothing: the baseline of everything that goes through it.
    ours+=" $(cd "$work/$instance" && took "${compose[@]}" ps)"
    slow=''
    # Lists of numbers are words.
    # shellcheck disable=SC2086
    if [ "$run" -gt 5 ] && [ "$up_ms" -gt $((2 * $(percentile 0.5 $ups))) ]; then
        keep_logs "$run"
        slow=" (logs are kept in $keep/slow-$run)"
    fi
    ups+=" $up_ms"
    if [ $((run % 2)) = 0 ]; then
        stops+=" $(took "$PGHA" stop "bench-$instance")"
    else
        downs+=" $(took "$PGHA" down "bench-$instance" --volumes --yes)"
    fi
    remove "$instance"
    say "run $run of $runs: up $((up_ms / 100))00 ms$slow"
done

report() {
    echo "$(date +%F), $(nproc) cores, Docker $(docker version -f '{{.Server.Version}}')," \
        "Compose $("${compose[@]}" version --short), $("$PGHA" --version), \`up ${flags[*]}\`."
    echo
    echo "| what | runs | min | median | p99 | max | p99 / median | median / \`compose ps\` |"
    echo "|---|---:|---:|---:|---:|---:|---:|---:|"
    spread "\`pgha up\`" "$ups"
    spread "\`pgha stop\`" "$stops"
    spread "\`pgha down --volumes\`, running" "$downs"
    spread "\`compose ps\`" "$ours"
    echo
    echo "| step of \`up\` | done after, median | since the step before |"
    echo "|---|---:|---:|"
    sort "$work/steps" | awk -F '\t' '
        function flush() { if (n) printf "%.3f\t%s\n", v[int((n + 1) / 2)], name; n = 0 }
        $1 != name { flush(); name = $1 }
        { v[++n] = $2; for (i = n; i > 1 && v[i] < v[i - 1]; i--) { t = v[i]; v[i] = v[i - 1]; v[i - 1] = t } }
        END { flush() }' | sort -n |
        awk -F '\t' '{ printf "| %s | %.1f s | %.1f s |\n", $2, $1, $1 - before; before = $1 }'
}
report > "$work/report"
cat "$work/report"
if $write; then write_section ups "$(< "$work/report")"; fi
