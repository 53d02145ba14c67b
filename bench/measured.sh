# Puts a report between two markers of docs/measured.md; sourced by the benchmarks.
# shellcheck shell=bash

# write_section NAME TEXT: between <!-- NAME: begin --> and <!-- NAME: end -->
write_section() {
    local page
    page=$(REPORT=$2 awk -v name="$1" '
        $0 == "<!-- " name ": end -->" { skip = 0; print "" }
        !skip { print }
        $0 == "<!-- " name ": begin -->" { skip = 1; print ""; print ENVIRON["REPORT"] }' docs/measured.md)
    printf '%s\n' "$page" > docs/measured.md
    say "docs/measured.md is written"
}
