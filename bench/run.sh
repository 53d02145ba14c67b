#!/usr/bin/env bash
# Measures what the README promises and prints tables; every figure stands beside a baseline of this run.
#
#   bench/run.sh                  all but backup and restore, which take 20 minutes; 5 runs of `up`
#   bench/run.sh --runs 1         fewer or more of them
#   bench/run.sh --only PART      one of: up status size plan scaling backup restore
#   bench/run.sh --scale N        scale of pgbench for backup and restore; 135 (the default) is 2 GB, 7 is 100 MB
#   bench/run.sh --write          puts the tables into docs/measured.md as well; with --only backup and restore
#
# Clusters have instance numbers from 9500 upward and are removed at the end, also after a failure.
# Needs the images (`pgha build`), jq, and a machine that does nothing else. PGHA=FILE measures that
# binary instead of a release build.
set -euo pipefail
cd "$(dirname "$0")/.."
. ./scripts/machine.sh
. ./bench/measured.sh

runs=5 only=all write=false scale=135
while [ $# -gt 0 ]; do
    case $1 in
        --runs) runs=${2:?a number}; shift ;;
        --only) only=${2:?a part}; shift ;;
        --scale) scale=${2:?a scale of pgbench}; shift ;;
        --write) write=true ;;
        -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) fail "unknown argument: $1" "bench/run.sh --help" ;;
    esac
    shift
done
case $only in
    all | up | status | size | plan | scaling | backup | restore) ;;
    *) fail "unknown part: $only" "bench/run.sh --help" ;;
esac
case $write$only in
    false* | trueall | truebackup | truerestore) ;;
    *) fail "docs/measured.md has no place for $only alone" "--write without --only, or with backup or restore" ;;
esac
[ "$runs" -ge 1 ] 2> /dev/null || fail "not a number of runs: $runs"
first_instance=9500
. ./bench/clusters.sh

measure_up() {
    local ups='' bases='' run
    for run in $(seq "$runs"); do
        say "up, run $run of $runs"
        took_up -d 2 -c 2
        ups+=" $up_ms"
        local folder=$work/$instance
        "$PGHA" down "bench-$instance" --volumes --yes >> "$log" 2>&1
        bases+=" $(cd "$folder" && took "${compose[@]}" up -d)"
        remove "$instance"
    done
    row "\`pgha up\`, 2 × 2 nodes" "$ups" "containers only" "$bases"
}

# rounds WHAT: ten times `status` of the current cluster, alternating with `docker ps`
rounds() {
    local statuses='' bases='' _
    for _ in $(seq 10); do
        bases+=" $(took docker ps)"
        statuses+=" $(took "$PGHA" status "bench-$instance" --json)"
    done
    row "$1" "$statuses" "\`docker ps\`" "$bases"
}

measure_status() {
    say "status"
    new_cluster -d 2 -c 2
    rounds "\`pgha status\`, healthy"
    # The names of a site's containers are words.
    # shellcheck disable=SC2046
    docker kill $(docker ps -q --filter "label=pgha.instance=$instance" --filter label=pgha.site=DC2) >> "$log"
    rounds "\`pgha status\`, a site down"
    remove "$instance"
}

measure_plan() {
    say "plan"
    local large='' small='' _
    for _ in $(seq 10); do
        small+=" $(took "$PGHA" plan -d 1 --json)"
        large+=" $(took "$PGHA" plan -d 12 --json)"
    done
    row "\`pgha plan -d 12 --json\`" "$large" "\`-d 1\`" "$small"
}

# layers IMAGE: its layers, the lowest first, each with its size in bytes
layers() {
    local sizes digests
    # What only describes the image makes no layer; a command that changes no file makes an empty one.
    sizes=$(docker history --no-trunc --human=false --format '{{.Size}} {{.CreatedBy}}' "$1" |
        grep -vE '^0 .*(#\(nop\)|LABEL|ENV|ARG|ENTRYPOINT|CMD) ' | cut -d ' ' -f 1 | tac)
    digests=$(docker image inspect -f '{{range .RootFS.Layers}}{{println .}}{{end}}' "$1" | sed '/^$/d')
    [ "$(wc -l <<< "$sizes")" = "$(wc -l <<< "$digests")" ] ||
        fail "the layers of $1 cannot be told from its history"
    paste <(echo "$digests") <(echo "$sizes")
}

measure_size() {
    say "image size"
    local image
    echo "| image | size | not shared with those above |"
    echo "|---|---:|---:|"
    for image in "${images[@]}"; do layers "$image" | sed "s|^|$image\t|"; done |
        awk -F '\t' '
            !($1 in size) { order[++n] = $1 }
            { size[$1] += $3 }
            !($2 in seen) { seen[$2] = 1; own[$1] += $3; all += $3 }
            END {
                for (i = 1; i <= n; i++)
                    printf "| %s | %.0f MB | %.0f MB |\n", order[i], size[order[i]] / 1e6, own[order[i]] / 1e6
                printf "| all together | | **%.0f MB** |\n", all / 1e6
            }'
}

# memory: bytes that all containers of the current cluster use, as `docker stats` counts them
memory() {
    # shellcheck disable=SC2046
    docker stats --no-stream --format '{{.MemUsage}}' $(docker ps -q --filter "label=pgha.instance=$instance") |
        sed 's| / .*||' | numfmt --from=iec-i --suffix=B --format=%.0f | tr -d B | awk '{ s += $1 } END { print s }'
}

measure_scaling() {
    local shape d c
    echo "| data centers × nodes | containers | \`pgha up\` | memory, right after |"
    echo "|---|---:|---:|---:|"
    for shape in 1x2 2x2 3x4; do
        say "scaling, $shape"
        d=${shape%x*} c=${shape#*x}
        took_up -d "$d" -c "$c"
        printf '| %s × %s | %s | %s s | %s MiB |\n' "$d" "$c" \
            "$(docker ps -q --filter "label=pgha.instance=$instance" | wc -l)" \
            "$(awk -v ms="$up_ms" 'BEGIN { printf "%.1f", ms / 1000 }')" "$(($(memory) / 1048576))"
        remove "$instance"
    done
}

# Whole-cluster restore until the last replica streams, and its step that copies the backup to one node, beside
# pgBackRest by hand copying the same backup to that node; with each compression in a cluster of its own.
measure_restore() {
    local kind restores copies bases host leader size _
    for kind in gz lz4 zst; do
        say "restore, $kind"
        printf '[backup]\ncompression = "%s"\n' "$kind" > "$work/$kind.toml"
        new_cluster -d 2 -c 2 -f "$work/$kind.toml"
        host=$(docker ps --filter "label=pgha.instance=$instance" --filter label=pgha.role=backup --format '{{.Names}}')
        leader=$("$PGHA" status "bench-$instance" --json | jq -r .leader)
        docker exec -u postgres "$leader" pgbench -i -q -s "$scale" postgres >> "$log" 2>&1
        docker exec "$host" pgbackrest --stanza=pgha_db --type=full backup >> "$log"
        size=$(docker exec "$host" pgbackrest --output=json info | jq '.[0].backup[-1].info.size / 1e6 | floor')
        restores='' copies='' bases=''
        for _ in $(seq "$runs"); do
            docker exec -u postgres "$leader" sh -c 'rm -rf /pgdata/scratch && mkdir -m 700 /pgdata/scratch'
            bases+=" $(took docker exec -u postgres "$leader" pgbackrest --stanza=pgha_db --pg1-path=/pgdata/scratch restore)"
            docker exec -u postgres "$leader" rm -rf /pgdata/scratch
            restores+=" $(took_restore)"
            copies+=" $(jq '.steps[] | select(.step == "restore").took_ms' "$work/restored")"
            leader=$("$PGHA" status "bench-$instance" --json | jq -r .leader)
        done
        row "\`pgha restore --latest\`, $kind, 2 × 2 nodes, $size MB" "$restores" "\`pgbackrest restore\` by hand to one node" "$bases"
        row "its step \`restore\`, $(of_copy "$size" "$copies")" "$copies" "the same, $(of_copy "$size" "$bases")" "$bases"
        remove "$instance"
    done
}

# took_restore: milliseconds of a restore; what it says of itself is then in the file `restored`
took_restore() {
    local start=${EPOCHREALTIME/[.,]/}
    "$PGHA" restore "bench-$instance" --latest --yes --json > "$work/restored" 2>> "$log"
    echo $(((${EPOCHREALTIME/[.,]/} - start) / 1000))
}

# of_copy MB "MS...": rate of the median
of_copy() {
    # Lists of numbers are words.
    # shellcheck disable=SC2046,SC2086
    set -- "$1" $(summary $2)
    awk -v mb="$1" -v ms="$3" 'BEGIN { printf "%.0f MB/s", mb * 1000 / ms }'
}

# of_backup FIELD: a field of the last backup, as pgha lists it
of_backup() { "$PGHA" backups "bench-$instance" --json 2>> "$log" | jq ".backups[-1].$1"; }

# rate BYTES MS
rate() { awk -v bytes="$1" -v ms="$2" 'BEGIN { printf "%.1f s, %.0f MB/s", ms / 1000, bytes / 1000 / ms }'; }

# The same full backup of a pgbench database by `pgha backup` and by pgBackRest itself, alternating, with each
# compression in a cluster of its own. The disk stands beside it: the data directory, read and thrown away.
measure_backup() {
    local kind file leader host bytes ours theirs disk stored _
    echo "| full backup, pgbench scale $scale | \`pgha backup\` | \`pgbackrest backup\` by hand | ratio | stored | reading the data alone |"
    echo "|---|---:|---:|---:|---:|---:|"
    for kind in gz lz4 zst; do
        say "backup, $kind"
        file=$work/$kind.toml
        printf '[backup]\ncompression = "%s"\n' "$kind" > "$file"
        new_cluster -f "$file"
        leader=$("$PGHA" status "bench-$instance" --json | jq -r .leader)
        host=$(docker ps -q --filter "label=pgha.instance=$instance" --filter label=pgha.role=backup)
        docker exec "$leader" pgbench -i -q -s "$scale" postgres >> "$log" 2>&1
        docker exec "$leader" psql -qc checkpoint >> "$log" 2>&1
        ours='' theirs='' disk=''
        for _ in $(seq "$runs"); do
            disk+=" $(took docker exec "$leader" sh -c 'cat /pgdata/*/base/*/* > /dev/null')"
            theirs+=" $(took docker exec "$host" pgbackrest --stanza=pgha_db --type=full backup)"
            ours+=" $(took "$PGHA" backup "bench-$instance" --type full)"
        done
        bytes=$(of_backup copied_bytes) stored=$(of_backup repository_bytes)
        # Lists of numbers are words.
        # shellcheck disable=SC2046,SC2086
        set -- $(summary $ours) $(summary $theirs) $(summary $disk)
        echo "| $kind | $(rate "$bytes" "$2") | $(rate "$bytes" "$5") | $(awk -v a="$2" -v b="$5" 'BEGIN { printf "%.2f", a / b }')" \
            "| $(awk -v b="$stored" 'BEGIN { printf "%.0f MB", b / 1e6 }') | $(rate "$bytes" "$8") |"
        remove "$instance"
    done
}

wanted() {
    case $1 in
        backup | restore) [ "$only" = "$1" ] ;;
        *) [ "$only" = all ] || [ "$only" = "$1" ] ;;
    esac
}

report() {
    echo "$(date +%F), $(nproc) cores, $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo) of memory," \
        "Docker $(docker version -f '{{.Server.Version}}'), Compose $("${compose[@]}" version --short)," \
        "$("$PGHA" --version); load at the start $(cut -d ' ' -f 1 /proc/loadavg)."
    if wanted up || wanted status || wanted plan || wanted restore; then
        echo
        times_header
        if wanted up; then measure_up; fi
        if wanted status; then measure_status; fi
        if wanted plan; then measure_plan; fi
        if wanted restore; then measure_restore; fi
    fi
    if wanted size; then echo; measure_size; fi
    if wanted scaling; then echo; measure_scaling; fi
    if wanted backup; then echo; measure_backup; fi
}

# Not through a pipe: `instance` must be this shell's.
report > "$work/report"
cat "$work/report"
section=$only
[ "$only" != all ] || section=bench
if $write; then write_section "$section" "$(< "$work/report")"; fi
