#!/usr/bin/env bash
# Runs what CI checks, one step after the other, and says how long each took.
set -euo pipefail

report=()
trap 'printf "ci: %s\n" "${report[@]}"' EXIT
step() {
  local started=$SECONDS name=$1
  shift
  echo "ci: $name"
  if "$@" </dev/null; then
    report+=("$name ok in $((SECONDS - started)) s")
  else
    report+=("$name FAILED after $((SECONDS - started)) s")
    exit 1
  fi
}

step setup make -s setup RACE=1
step build make -s build
step lint make -s lint
step verify make -s verify
step vulncheck make -s vulncheck
step test make -s test RACE=1
step chaos make -s chaos CHAOS=-short
step bench make -s bench BENCH=-short
step demo make -s demo
