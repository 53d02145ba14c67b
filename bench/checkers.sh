#!/usr/bin/env bash
# Measures how long the checkers take for a million operations of each workload, and a history on disk; prints a table.
set -euo pipefail
cd "$(dirname "$0")/.."
echo "load average: $(cut -d' ' -f1-3 /proc/loadavg), $(nproc) processors"
exec cargo run --locked --quiet --release --package pgha-core --example checkers
