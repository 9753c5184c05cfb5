#!/usr/bin/env bash
# Runs every fuzz target for FUZZTIME; `go test -fuzz` takes one at a time.
set -euo pipefail

git ls-files -co --exclude-standard '*_test.go' | xargs grep -HoE '^func Fuzz[A-Za-z0-9_]+' |
  while IFS=: read -r file found; do
    echo "fuzz: ${found#func } in $(dirname "$file") for ${FUZZTIME:=10s}"
    (cd "$(dirname "$file")" && go test -run '^$' -fuzz "^${found#func }\$" -fuzztime "$FUZZTIME" . </dev/null)
  done
