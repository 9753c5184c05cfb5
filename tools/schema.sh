#!/usr/bin/env bash
# Prints schema weir as a new database gets it, for people to read and for `make verify` to compare.
# Runs under `devstack run`. What differs between PostgreSQL versions' pg_dump is left out.
set -euo pipefail

pg_dump=$(ls -d /usr/lib/postgresql/*/bin/pg_dump 2>/dev/null | sort -V | tail -n 1)
export WEIR_DATABASE_URL=$WEIR_TEST_DATABASE_URL
"$WEIR_BIN_DIR/weir-admin" db migrate >&2
echo "-- The whole schema, for reading: written by \`make generate\` from db/migrations, never by hand."
"${pg_dump:-pg_dump}" --schema-only --no-owner --no-privileges --schema=weir --dbname="$WEIR_TEST_DATABASE_URL" |
  sed -E '/^(SET |SELECT pg_catalog\.set_config|\\(un)?restrict |-- Dumped |--$)/d' | cat -s
