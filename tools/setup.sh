#!/usr/bin/env bash
# Finds, or on Debian and Ubuntu installs, what Weir needs on this machine and Go does not bring:
# PostgreSQL's server programs, ffmpeg, Node with npm (for tests), with `race` a C compiler (for the race detector), and with
# `browser` Chromium (for the tests that play what comes out), with `units` systemd-analyze and with `package`
# debootstrap (for the tests of the units and of the package), and with `prometheus` Prometheus and
# promtool (for the tests of metrics and alerts), which are only unpacked into build/bin,
# and with `pooler` PgBouncer (for the tests and the benchmark of a large fleet),
# and with `redis` Redis (for the benchmark of a queue that stands on it).
#   usage: tools/setup.sh [race] [browser] [units] [package] [prometheus] [pooler] [redis]
set -euo pipefail

oldest_postgres=15 # what Weir supports; db/ and docs say the same

fail() { echo "setup: $*" >&2; exit 1; }

newest_postgres() {
  local program
  for program in /usr/lib/postgresql/*/bin/postgres $(command -v postgres || true); do
    [ -x "$program" ] && "$program" --version | sed -E 's/.*\(PostgreSQL\) ([0-9]+).*/\1/'
  done | sort -n | tail -n 1
}

have_postgres() { [ "$(newest_postgres || true)" ] && [ "$(newest_postgres)" -ge "$oldest_postgres" ]; }
have_ffmpeg() { command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null; }
have_prometheus() {
  [ -x build/bin/prometheus ] && [ -x build/bin/promtool ] || { command -v prometheus && command -v promtool; } >/dev/null
}
have_compiler() { command -v cc >/dev/null || command -v gcc >/dev/null; }
asked() { [[ " ${wishes[*]} " == *" $1 "* ]]; }

wishes=("$@")
need=()
# Someone else's server will do in place of programs of our own.
have_postgres || [ -n "${WEIR_DATABASE_URL:-}" ] || need+=(postgresql)
have_ffmpeg || need+=(ffmpeg)
command -v node >/dev/null || need+=(nodejs)
command -v npm >/dev/null || need+=(npm)
! asked race || have_compiler || need+=(gcc libc6-dev)
! asked browser || command -v chromium >/dev/null || need+=(chromium)
! asked units || command -v systemd-analyze >/dev/null || need+=(systemd)
! asked package || command -v debootstrap >/dev/null || [ -x /usr/sbin/debootstrap ] || need+=(debootstrap)
! asked pooler || command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || need+=(pgbouncer)
! asked redis || command -v redis-server >/dev/null || need+=(redis-server)
unpack=()
! asked prometheus || have_prometheus || unpack+=(prometheus)
[ "${#need[@]}" -gt 0 ] || [ "${#unpack[@]}" -gt 0 ] || exit 0

command -v apt-get >/dev/null ||
  fail "please install ${need[*]} ${unpack[*]} (PostgreSQL $oldest_postgres or newer); only Debian and Ubuntu are installed on from here"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() { "$@" </dev/null >"$log" 2>&1 || { tail -n 20 "$log" >&2; return 1; }; }

# The package would start a service of its own; Weir only wants the programs.
unpack_prometheus() (
  echo "setup: unpacking prometheus" >&2
  folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && mkdir -p build/bin && bin=$PWD/build/bin && cd "$folder" &&
    quietly apt-get -q download prometheus && quietly dpkg-deb -x prometheus_*.deb . && mv usr/bin/prometheus usr/bin/promtool "$bin"
)
if [ "${#unpack[@]}" -gt 0 ] && unpack_prometheus 2>/dev/null; then
  unpack=()
fi
[ "${#need[@]}" -gt 0 ] || [ "${#unpack[@]}" -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || fail "please install as root: apt-get install ${need[*]} ${unpack[*]}"
  as_root=(sudo)
fi
apt() { quietly "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 -y "$@"; }

[ "${#need[@]}" -eq 0 ] || echo "setup: installing ${need[*]} (a minute or two)" >&2
apt update || fail "apt-get update failed; is the network up?"
[ "${#unpack[@]}" -eq 0 ] || unpack_prometheus || fail "could not unpack prometheus"
[ "${#need[@]}" -gt 0 ] || exit 0
if [[ " ${need[*]} " == *" postgresql "* ]]; then
  # The package would start a server of its own on port 5432; Weir only wants the programs.
  apt install --no-install-recommends postgresql-common || fail "apt-get could not install postgresql-common"
  conf=/etc/postgresql-common/createcluster.conf
  [ -n "$(ls -A /etc/postgresql 2>/dev/null)" ] || "${as_root[@]}" sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' "$conf"
  candidate=$(apt-cache policy postgresql | sed -nE 's/.*Candidate: ([0-9]+).*/\1/p')
  if [ "${candidate:-0}" -lt "$oldest_postgres" ]; then
    # An older distribution: PostgreSQL's own archive has newer ones for it.
    apt install --no-install-recommends ca-certificates gnupg || fail "apt-get could not install gnupg"
    quietly "${as_root[@]}" /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y ||
      fail "could not add apt.postgresql.org; please install PostgreSQL $oldest_postgres or newer"
  fi
fi
for package in pgbouncer redis-server; do
  if [[ " ${need[*]} " == *" $package "* ]] && [ -d /run/systemd/system ]; then
    # So would this one.
    "${as_root[@]}" systemctl mask "$package.service" >/dev/null 2>&1 || true
  fi
done
apt install --no-install-recommends "${need[@]}" || fail "apt-get could not install ${need[*]}"
[ -n "${WEIR_DATABASE_URL:-}" ] || have_postgres || fail "no PostgreSQL $oldest_postgres or newer, though it was installed; please look at /usr/lib/postgresql"
have_ffmpeg || fail "no ffmpeg and ffprobe in PATH, though installed"
! asked browser || command -v chromium >/dev/null || fail "no chromium in PATH, though installed"
