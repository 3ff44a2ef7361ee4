#!/bin/sh
# Install the two States Language validators into .local/validators, once for each content of their lock file.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
source=$root/scripts/validators
destination=$root/.local/validators
key=$(cksum <"$source/package-lock.json")

[ "$(cat "$destination/.key" 2>/dev/null)" = "$key" ] && exit 0
command -v npm >/dev/null || { echo "setup-validators: npm is missing; install Node.js with npm" >&2; exit 1; }

echo "setting up the state machine validators in .local/validators (once)" >&2
mkdir -p "$destination"
cp "$source/package.json" "$source/package-lock.json" "$destination/"
(cd "$destination" && npm ci --silent --no-audit --no-fund --ignore-scripts)
printf '%s\n' "$key" >"$destination/.key"
