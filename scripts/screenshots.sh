#!/usr/bin/env bash
# Takes the pictures of docs/web.md from a running cluster: dark and light, wide and narrow. Wants Chromium, curl and jq.
# usage: scripts/screenshots.sh NAME [DIR]
set -euo pipefail
name=${1:?the name of a running cluster}
out=${2:-"$(dirname "$0")/../docs/web"}
pgha=${PGHA:-pgha}
mkdir -p "$out"
work=$(mktemp -d)
"$pgha" web "$name" --json > "$work/address" 2> "$work/log" &
server=$!
trap 'kill "$server" 2> /dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 100); do
    url=$(jq -r .url "$work/address" 2> /dev/null) && [ -n "$url" ] && break
    kill -0 "$server" || { cat "$work/log" >&2; exit 1; }
    sleep 0.1
done

# A reader that stays: the page is told all at once when it is opened, with the charts of the last minute.
token=${url##*token=}
curl --silent --no-buffer --header "Authorization: Bearer $token" "${url%%\?*}events" > "$work/events" &
reader=$!
trap 'kill "$reader" "$server" 2> /dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 600); do
    [ "$(grep -c '^event: sample' "$work/events")" -ge 60 ] && break
    kill -0 "$reader" || exit 1
    sleep 0.2
done

shot() { # FILE WIDTH,HEIGHT SCHEME (0 dark, 1 light)
    # The stream of events never ends, and Chromium waits for it once the picture is written.
    rm -f "$out/$1"
    timeout 40 chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/profile" \
        --blink-settings=preferredColorScheme="$3" --virtual-time-budget=3000 --window-size="$2" --screenshot="$out/$1" "$url" \
        > "$work/chromium" 2>&1 || true
    [ -s "$out/$1" ] || { cat "$work/chromium" >&2; exit 1; }
}
shot wide-light.png 1280,1500 1
shot wide-dark.png 1280,1500 0
shot narrow-light.png 500,1500 1
