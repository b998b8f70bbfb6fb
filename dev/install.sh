#!/bin/sh
# Installs exactly what a lock file says; `make` calls it when the lock file is newer than the
# stamp. A clean machine needs python3 with venv, nothing else: uv is fetched when it is missing.
# usage: dev/install.sh python|node STAMP
set -eu
kind=$1
stamp=$2
uv_version=0.13.8
cd "$(dirname "$0")/.."
unset VIRTUAL_ENV

# Run a silent command with a dot a second, so that one sees it is alive; its output on failure.
patiently() {
  printf '%s ' "$1"
  shift
  log=$(mktemp)
  "$@" >"$log" 2>&1 &
  job=$!
  trap 'kill "$job" 2>/dev/null; rm -f "$log"; echo; exit 130' INT TERM
  while kill -0 "$job" 2>/dev/null; do
    printf .
    sleep 1
  done
  if wait "$job"; then
    trap - INT TERM
    rm -f "$log"
    echo ' done'
  else
    echo ' FAILED'
    cat "$log" >&2
    rm -f "$log"
    exit 1
  fi
}

find_uv() {
  # The version too: a shim of a version manager is on PATH and may not work.
  if uv --version >/dev/null 2>&1; then
    uv=uv
    return
  fi
  uv=.tools/bin/uv
  if ! "$uv" --version >/dev/null 2>&1; then
    rm -rf .tools
    "${PYTHON:-python3}" -m venv .tools || {
      echo "python3 cannot make a virtual environment; on Debian: apt install python3-venv" >&2
      exit 1
    }
    patiently "Fetching uv $uv_version" .tools/bin/python -m pip install "uv==$uv_version"
  fi
}

case $kind in
python)
  find_uv
  patiently "Installing the Python packages of uv.lock" "$uv" sync --frozen
  ;;
node)
  patiently "Installing the script tools of package-lock.json" \
    npm ci --no-audit --no-fund
  ;;
esac
touch "$stamp"
