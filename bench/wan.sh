#!/usr/bin/env bash
# Measures the WAN router against plain kernel forwarding through the same container, in one run, and
# what links are against what they were asked to be. Prints tables.
#
#   bench/wan.sh                  everything, about 6 minutes
#   bench/wan.sh --seconds 3      shorter or longer streams (default 10)
#   bench/wan.sh --write          puts the tables into docs/measured.md as well
#
# Two containers stand for two sites, a third one joins them: first the kernel forwards in it, then
# pgha-node. Needs the image pgha-wan (`pgha build`), jq, and a machine that does nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
. ./scripts/machine.sh
. ./bench/measured.sh

# Every run loses other packets; links replay theirs from the seed.
seconds=10 write=false seed=$RANDOM
load=$(cut -d ' ' -f 1 /proc/loadavg)
while [ $# -gt 0 ]; do
    case $1 in
        --seconds) seconds=${2:?a number}; shift ;;
        --write) write=true ;;
        -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) fail "unknown argument: $1" "bench/wan.sh --help" ;;
    esac
    shift
done
have jq || fail "jq is missing" "apt-get install jq"
ensure_engine
docker image inspect pgha-wan > /dev/null 2>&1 || fail "the image pgha-wan is not there" "pgha build"

# The router believes it is that of a cluster with this number.
number=9499
a=pgha-bench-a b=pgha-bench-b router=pgha-wan-$number
net_a=pgha-bench-net-a net_b=pgha-bench-net-b
image=pgha-bench

sent=$(mktemp)

clean_up() {
    local status=$?
    trap - EXIT INT TERM
    rm -f "$sent"
    [ "$status" = 0 ] || docker logs --tail 20 "$router" >&2 2>&1 || true
    docker rm --force --volumes "$a" "$b" "$router" > /dev/null 2>&1 || true
    docker network rm "$net_a" "$net_b" > /dev/null 2>&1 || true
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
docker rm --force "$a" "$b" "$router" > /dev/null 2>&1 || true
docker network rm "$net_a" "$net_b" > /dev/null 2>&1 || true

say "making the image with iperf3, fping and tcpdump"
certificates=/etc/ssl/certs/ca-certificates.crt
context=$(mktemp -d)
cp "$certificates" "$context/host-ca.crt" 2> /dev/null || : > "$context/host-ca.crt"
cat > "$context/Dockerfile" <<'END'
FROM pgha-wan
USER root
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends fping iperf3 tcpdump > /dev/null
END
docker build --quiet --tag "$image" "$context" > /dev/null
rm -rf "$context"

docker network create "$net_a" > /dev/null
docker network create "$net_b" > /dev/null
subnet() { docker network inspect "$1" | jq -r '.[0].IPAM.Config[0].Subnet'; }

# Windows that a long fat link wants; the system's own limit is 6 MB.
windows=(--sysctl "net.ipv4.tcp_rmem=4096 131072 67108864" --sysctl "net.ipv4.tcp_wmem=4096 131072 67108864")
peer() { # NAME NETWORK SITE
    docker run --detach --name "$1" --network "$2" --cap-add NET_ADMIN "${windows[@]}" \
        --entrypoint sleep "$image" infinity > /dev/null
    docker exec "$1" sh -c "ip address add 198.18.$3.101/24 dev eth0 &&
        ip route add 198.18.0.0/16 via 198.18.$3.1 dev eth0 src 198.18.$3.101"
}
peer "$a" "$net_a" 1
peer "$b" "$net_b" 2
docker create --name "$router" --hostname "$router" --network "$net_a" \
    --cap-drop ALL --cap-add NET_ADMIN --cap-add NET_RAW --cap-add SYS_NICE --cap-add SETUID --cap-add SETGID --cap-add KILL \
    --security-opt no-new-privileges:true --device /dev/net/tun \
    --sysctl net.ipv4.ip_forward=1 \
    --sysctl net.ipv4.conf.all.rp_filter=0 --sysctl net.ipv4.conf.default.rp_filter=0 \
    --env PGHA_INSTANCE=$number --env PGHA_SPEC="data_centers = 1
[wan]
seed = $seed" \
    --env PGHA_UNDERLAY="1=$(subnet $net_a) 2=$(subnet $net_b)" \
    --entrypoint sleep "$image" infinity > /dev/null
docker network connect "$net_b" "$router"
docker start "$router" > /dev/null

in_a() { docker exec "$a" "$@"; }
far=198.18.2.101

# link CHANGE: both directions, as JSON
link() {
    local answer
    answer=$(docker exec --user 999 "$router" pgha-node wan-control \
        '{"verb":"change","links":[{"from":"DC1","to":"DC2"},{"from":"DC2","to":"DC1"}],"change":'"$1"'}')
    jq -e .state <<< "$answer" > /dev/null || fail "the router refuses $1: $answer"
}
reset() { docker exec --user 999 "$router" pgha-node wan-control '{"verb":"reset","links":[]}' > /dev/null; }

# one_way [INTERVAL]: ms that each packet took from one site's device to the other's, one a line, by the kernel's
# own time stamps at both ends: of 2000 echo requests, one every INTERVAL ms (default 3), and their replies. Where
# the interval divides the latency, packets of both ways meet in the router. fping, since ping sends at the ticks
# of the kernel, every 10 ms where there are a hundred in a second.
one_way() {
    local peer pinged
    for peer in "$a" "$b"; do
        docker exec "$peer" rm -f /tmp/seen
        docker exec --detach "$peer" tcpdump -i eth0 -Z root -U -s 64 -w /tmp/seen --time-stamp-precision nano icmp
    done
    for peer in "$a" "$b"; do
        for _ in $(seq 100); do
            [ -z "$(docker exec "$peer" sh -c 'cat /tmp/seen 2> /dev/null | head -c 1 | wc -c | grep 1')" ] || break
            sleep 0.1
        done
    done
    pinged=$(in_a fping -q -i 1 -p "${1:-3}" -c 2000 -t 1000 $far 2>&1) || fail "no answer: $pinged"
    for peer in "$a" "$b"; do
        docker exec "$peer" pkill -INT tcpdump
        docker exec "$peer" sh -c 'while pgrep tcpdump > /dev/null; do sleep 0.05; done'
        docker exec "$peer" tcpdump -r /tmp/seen -n -tt --time-stamp-precision nano 2> /dev/null | sed "s/^/$peer /"
    done | awk -v a="$a" '{
        split($0, words, " seq "); seq = words[2] + 0; kind = /request/ ? "there" : "back"
        if (($1 == a) == (kind == "there")) sent[kind, seq] = $2; else came[kind, seq] = $2
    } END { for (one in sent) if (one in came) printf "%.4f\n", (came[one] - sent[one]) * 1000 }'
}
# quantiles: median and 99th percentile of the numbers on standard input
quantiles() { sort -n | awk '{ v[NR] = $1 } END { print v[int(NR * 0.5) + 1], v[int(NR * 0.99) + 1] }'; }
# stream FLAGS...: iperf3's JSON. On a link that loses packets the two ends may fail to agree on a test.
stream() {
    local report
    for _ in 1 2 3; do
        if report=$(in_a iperf3 --client $far --time "$seconds" --json "$@"); then
            echo "$report"
            return
        fi
        say "iperf3 failed: $(jq -r .error <<< "$report"); once more"
        sleep 1
    done
    fail "iperf3 $* failed three times"
}
# ticks: processor time of the machine so far that was idle, and all of it
ticks() { awk '/^cpu / { print $5 + $6, $2 + $3 + $4 + $5 + $6 + $7 + $8 + $9 }' /proc/stat; }
# fastest FLAGS...: Gbit/s of a stream, and the share in % of all processors that was idle meanwhile
fastest() {
    local before
    before=$(ticks)
    echo "$(stream "$@" | gbits) $(echo "$before $(ticks)" | awk '{ printf "%.0f", ($3 - $1) / ($4 - $2) * 100 }')"
}
gbits() { jq -r '.end.sum_received.bits_per_second / 1e9'; }
mean_sd() { awk '{ n++; s += $1; q += $1 * $1 } END { m = s / n; print m, sqrt(q / n - m * m), n }'; }

docker exec --detach "$b" iperf3 --server
say "the kernel forwards"
docker exec "$router" sh -c '
    for device in $(ls /sys/class/net); do
        ip -4 address show dev $device | grep -q " '"$(subnet $net_a | cut -d. -f1-3)"'\." && ip address add 198.18.1.1/24 dev $device
        ip -4 address show dev $device | grep -q " '"$(subnet $net_b | cut -d. -f1-3)"'\." && ip address add 198.18.2.1/24 dev $device
    done; true'
in_a ping -c 2 -W 2 $far > /dev/null || fail "the two sites do not reach each other"
read -r kernel_gbit _ <<< "$(fastest)"
read -r kernel_four _ <<< "$(fastest --parallel 4)"
read -r kernel_p50 kernel_p99 <<< "$(one_way | quantiles)"
in_a iperf3 --client $far --time $((seconds + 2)) --bitrate 500M --json > /dev/null &
read -r _ kernel_busy_p99 <<< "$(one_way | quantiles)"
wait $!

say "pgha-node forwards"
docker exec --detach "$router" pgha-node run
for _ in $(seq 50); do
    docker exec --user 999 "$router" pgha-node wan-control '{"verb":"state"}' > /dev/null 2>&1 && break
    sleep 0.1
done
reset
in_a ping -c 2 -W 2 $far > /dev/null || fail "the router passes nothing"

router_pid=$(docker exec "$router" pgrep -f wan-engine)
memory_mib() { docker exec "$router" awk '/^VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$router_pid/status"; }
cpu_ticks() { docker exec "$router" awk '{ print $14 + $15 }' "/proc/$router_pid/stat"; }
supervisor_mib=$(docker exec "$router" sh -c "awk '/^VmRSS/ { printf \"%.1f\", \$2 / 1024 }' /proc/\$(pgrep -f 'pgha-node run' | head -n 1)/status")
idle_mib=$(memory_mib)
ticks=$(cpu_ticks)
sleep 10
idle_ticks=$(($(cpu_ticks) - ticks))

read -r node_gbit _ <<< "$(fastest)"
read -r node_four node_four_idle <<< "$(fastest --parallel 4)"
read -r node_p50 node_p99 <<< "$(one_way | quantiles)"
in_a iperf3 --client $far --time $((seconds + 2)) --bitrate 500M --json > /dev/null &
read -r _ node_busy_p99 <<< "$(one_way | quantiles)"
wait $!

say "with latency"
link '{"latency":"4ms"}'
read -r near_p50 near_p99 <<< "$(one_way | quantiles)"
link '{"latency":"20ms"}'
read -r far_p50 far_p99 <<< "$(one_way | quantiles)"
read -r met_p50 met_p99 <<< "$(one_way 10 | quantiles)"
far_gbit=$(stream | gbits)
in_a iperf3 --client $far --time $((seconds + 2)) --bitrate 500M --json > /dev/null &
read -r _ far_busy_p99 <<< "$(one_way | quantiles)"
wait $!

# From the moment the router is asked until a packet is sent that feels it.
link '{"latency":"1ms"}'
effects_ms=''
for latency in 100 1 100 1 100 1 100 1 100 1; do
    docker exec "$a" sh -c "fping -D -i 1 -p 2 -c 300 -t 1000 $far > /tmp/pings 2> /dev/null" &
    sleep 0.2
    asked=$(docker exec --user 999 "$router" sh -c 'date +%s.%N; pgha-node wan-control "$0" > /dev/null' \
        '{"verb":"change","links":[{"from":"DC1","to":"DC2"}],"change":{"latency":"'$latency'ms"}}')
    wait $!
    effects_ms+=" $(docker exec "$a" cat /tmp/pings | sed -n 's/^\[\([0-9.]*\)\].* \([0-9.]*\) ms (.*/\1 \2/p' |
        awk -v asked="$asked" -v new="$latency" '{ sent = $1 - $2 / 1000 }
            !felt && (new > 50) == ($2 > 50) && sent > asked { printf "%.1f\n", (sent - asked) * 1000; felt = 1 }')"
done
effect_ms=$(tr ' ' '\n' <<< "$effects_ms" | sort -n | tail -n 1)

link '{"latency":"200ms"}'
stream > /dev/null
full_mib=$(memory_mib)
reset
in_a ping -c 2 -W 2 $far > /dev/null
sleep 3
after_mib=$(memory_mib)

tables() {
    echo "| what | asked | kernel | pgha-node | ratio, or more than asked |"
    echo "|---|---|---:|---:|---:|"
    awk -v k="$kernel_gbit" -v n="$node_gbit" -v f="$far_gbit" \
        -v k4="$kernel_four" -v n4="$node_four" -v idle="$node_four_idle" 'BEGIN {
        printf "| one TCP stream, no delay | at least 0.3 of the kernel | %.1f Gbit/s | %.1f Gbit/s | %.2f |\n", k, n, n / k
        printf "| four TCP streams, no delay; processors idle meanwhile | | %.1f Gbit/s | %.1f Gbit/s; %d %% | %.2f |\n", k4, n4, idle, n4 / k4
        printf "| one TCP stream, 20 ms each way | at least 1 Gbit/s | | %.2f Gbit/s | |\n", f }'
    added() { # WHAT ASKED KERNEL NODE EXTRA
        awk -v what="$1" -v asked="$2" -v k="$3" -v n="$4" -v extra="$5" 'BEGIN {
            printf "| %s | %s | %.3f ms | %.3f ms | %+.3f ms |\n", what, asked, k, n, n - k - extra }'
    }
    added "one way idle, median" "at most 0.1 ms more" "$kernel_p50" "$node_p50" 0
    added "one way idle, p99" "at most 0.5 ms more" "$kernel_p99" "$node_p99" 0
    added "one way idle at 4 ms, median" "at most 0.1 ms more" "$kernel_p50" "$near_p50" 4
    added "one way idle at 4 ms, p99" "at most 0.5 ms more" "$kernel_p99" "$near_p99" 4
    added "one way idle at 20 ms, median" "at most 0.1 ms more" "$kernel_p50" "$far_p50" 20
    added "one way idle at 20 ms, p99" "at most 0.5 ms more" "$kernel_p99" "$far_p99" 20
    added "the same, packets of both ways at once, median" "at most 0.1 ms more" "$kernel_p50" "$met_p50" 20
    added "the same, packets of both ways at once, p99" "at most 0.5 ms more" "$kernel_p99" "$met_p99" 20
    added "one way beside 500 Mbit/s, p99" "at most 2 ms more" "$kernel_busy_p99" "$node_busy_p99" 0
    added "one way beside 500 Mbit/s at 20 ms, p99" "at most 2 ms more" "$kernel_busy_p99" "$far_busy_p99" 20
    echo "| a change until packets feel it, longest of 10 | at most 50 ms | | $effect_ms ms | |"
    echo "| memory of the engine, idle | at most 16 MiB with PID 1 | | $idle_mib MiB + $supervisor_mib MiB | |"
    echo "| memory with 200 ms each way and all the machine can send | bounded | | $full_mib MiB | |"
    echo "| memory 3 s after that | | | $after_mib MiB | |"
    echo "| processor time in 10 s idle | about 0 | | $((idle_ticks * 10)) ms | |"
    echo
    echo "| link | asked | measured | bounds (95 %) | within |"
    echo "|---|---:|---:|---:|---|"
    losses
    rates
    jitters
}

# loss_row WHAT CHANGE SHARE INFLATION: UDP packets lost on the way, counted by the receiver. A burst
# makes neighbours alike, which widens the bounds of a binomial distribution.
loss_row() {
    link "$2"
    stream --udp --bitrate 40M --length 500 |
        jq -r '.end.sum | "\(.lost_packets) \(.packets)"' |
        awk -v what="$1" -v p="$3" -v inflation="$4" '$2 > 0 {
            d = 1.96 * sqrt(p * (1 - p) / $2 * inflation); m = $1 / $2
            printf "| %s | %.2f %% | %.3f %% of %d | %.3f to %.3f %% | %s |\n", what, p * 100, m * 100, $2,
                (p - d) * 100, (p + d) * 100, (m >= p - d && m <= p + d) ? "yes" : "no" }'
    reset
}
losses() {
    loss_row "loss 0.5%" '{"loss":"0.5%"}' 0.005 1
    loss_row "loss 5%" '{"loss":"5%"}' 0.05 1
    # Neighbours are alike by 1 - 1/8 - their share: bounds widen by (1 + r) / (1 - r).
    loss_row "loss 2% in bursts of 8" '{"loss":"2%","burst":8}' 0.02 "$(awk 'BEGIN { r = 1 - 1 / 8 - 0.02 / 0.98 / 8; print (1 + r) / (1 - r) }')"
}

# Packets of 1400 bytes of payload, 1428 on the link, counted where they arrive: at the site's device, since
# iperf3 itself may not keep up.
arrived() { docker exec "$b" cat /sys/class/net/eth0/statistics/rx_packets; }
rates() {
    local rate before
    for rate in 10 100 500; do
        link '{"rate":"'"$rate"'mbit"}'
        before=$(arrived)
        stream --udp --bitrate "$((rate * 13 / 10))M" --length 1400 > "$sent"
        echo "$(jq -r '.end.sum | "\(.seconds) \(.packets)"' "$sent") $(($(arrived) - before))" |
            awk -v rate="$rate" '{ mbit = 1428 * 8 / $1 / 1e6; offered = $2 * mbit; m = $3 * mbit
                within = m >= rate * 0.98 && m <= rate * 1.02 ? "yes" : "no"
                if (offered < rate * 1.02) within = sprintf("no: %.0f Mbit/s were sent", offered)
                printf "| rate %dmbit | %d Mbit/s | %.2f Mbit/s | %.1f to %.1f Mbit/s | %s |\n",
                    rate, rate, m, rate * 0.98, rate * 1.02, within }'
        reset
    done
}

# One direction with jitter, the other without; the deviation of the round trip is that of the jitter.
jitters() {
    local kind
    for kind in uniform normal pareto; do
        docker exec --user 999 "$router" pgha-node wan-control '{"verb":"change","links":[{"from":"DC1","to":"DC2"}],"change":{"latency":"20ms","jitter":"2ms","distribution":"'$kind'"}}' > /dev/null
        # Far enough apart that none waits for the one before it.
        in_a ping -n -i 0.02 -c 500 $far | sed -n 's/.*time=\([0-9.]*\) ms/\1/p' | mean_sd |
            awk -v kind="$kind" -v base="$kernel_p50" '{
                sd = kind == "uniform" ? 2 / sqrt(3) : 2; d = 1.96 * sd / sqrt($3) + 0.2; m = $1 - 2 * base
                printf "| latency 20ms, jitter 2ms %s: mean | 20 ms | %.2f ms | %.2f to %.2f ms | %s |\n", kind, m, 20 - d, 20 + d, (m >= 20 - d && m <= 20 + d) ? "yes" : "no"
                # The deviation of a sample of 500 is off by 6 % in one of 20; a heavy tail by more.
                w = kind == "pareto" ? 0.3 : 0.1
                printf "| the same: deviation | %.2f ms | %.2f ms | %.2f to %.2f ms | %s |\n", sd, $2, sd * (1 - w), sd * (1 + w), ($2 >= sd * (1 - w) && $2 <= sd * (1 + w)) ? "yes" : "no" }'
        reset
    done
}

tables=$(
    echo "$(date +%F), $(nproc) cores, kernel $(uname -r), Docker $(docker version -f '{{.Server.Version}}');" \
        "seed $seed; load at the start $load."
    echo
    tables
)
echo "$tables"
if $write; then write_section wan "$tables"; fi
