#!/usr/bin/env bash
# Write what the image installs, and what builds the package, with versions and hashes. Needs uv.
#   deploy/lock.sh [OPTION OF UV PIP COMPILE]...
# Versions that are locked already stay, unless --upgrade is given.
set -euo pipefail
cd "$(dirname "$0")/.."

lock() {
  local output=$1
  shift
  uv pip compile --quiet --universal --python-version 3.13 --generate-hashes \
    --custom-compile-command deploy/lock.sh --output-file "$output" "$@"
}

lock deploy/image/requirements.txt pyproject.toml --extra serve "$@"
python3 -c '
import tomllib
with open("pyproject.toml", "rb") as file:
    print(*tomllib.load(file)["build-system"]["requires"], sep="\n")
' | lock deploy/image/build-requirements.txt - "$@"
