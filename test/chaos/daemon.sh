#!/usr/bin/env bash
# Builds the daemon for the chaos suite as $1: with its crash points, and with a clock
# that can jump (its time.Now adds what the file of CHAOS_SKEW holds at that moment). Go programs
# read the clock without libc, so that nothing from outside could skew it for one alone.
set -euo pipefail

here=$(dirname "$0")
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
now=$(go env GOROOT)/src/time/time.go
sed '/^func Now() Time {$/,/^}$/ s/^\tsec, nsec, mono := runtimeNow()$/&\n\tsec += skewSeconds()/' "$now" > "$made/time.go"
grep -q skewSeconds "$made/time.go" || { echo "time.Now of $(go version) looks different: mend $0" >&2; exit 1; }
cat > "$made/overlay.json" <<JSON
{"Replace": {"$now": "$made/time.go", "$(dirname "$now")/skew.go": "$(realpath "$here")/skew/skew.go.txt"}}
JSON
go build -tags chaos -overlay "$made/overlay.json" -o "$1" ./cmd/daemon
