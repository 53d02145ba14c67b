#!/usr/bin/env bash
# Fails where a dependency has a licence that deny.toml does not allow. `cargo deny check` says more;
# this needs nothing but cargo and jq.
set -euo pipefail
cd "$(dirname "$0")/.."

allowed=$(sed -n '/^allow = \[/,/^\]/s/^ *"\(.*\)",/\1/p' deny.toml | jq -R . | jq -s .)
cargo metadata --locked --format-version 1 --filter-platform x86_64-unknown-linux-gnu \
    | jq -r --argjson allowed "$allowed" '
        # An expression is met where one of its alternatives names allowed licences only.
        def met: [splits(" OR | */ *") | gsub("[()]"; "") | [splits(" AND ")]
            | all(. as $one | $allowed | index($one | sub(" WITH .*"; "")) != null)] | any;
        .packages[] | select(.source != null) | select((.license // "none") | met | not)
        | "\(.name) \(.version): \(.license // "none")"' \
    | { ! grep . ; } || { echo "error: licences that deny.toml does not allow" >&2; exit 1; }
