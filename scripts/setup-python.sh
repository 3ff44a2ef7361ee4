#!/bin/sh
# Make .local/venv: the Python of the stand-in's Step Functions interpreter and of the conformance tests.
#
# Made once for each content of requirements.txt; a second call only compares a key. A new environment is built
# beside the old one and takes its place by a rename, so an interrupted call leaves the old one or none, never half
# of one. Two calls at once both build, and either result serves.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
requirements=$root/tests/local-aws/interpreter/requirements.txt
local=$root/.local
key=$(cksum <"$requirements")-$(python3 -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')

[ "$(cat "$local/venv/.key" 2>/dev/null)" = "$key" ] && exit 0

echo "setting up Python packages in .local/venv (once)" >&2
mkdir -p "$local"
fresh=$local/venv.$$
link=$local/venv.link.$$
trap 'rm -rf "$link"; [ "$(readlink "$local/venv")" = "venv.$$" ] || rm -rf "$fresh"' EXIT
trap 'exit 1' HUP INT TERM

# Without pip inside: Debian's python3 lacks ensurepip unless python3-venv is installed, and pip reaches in by --python.
python3 -m venv --without-pip "$fresh"
python3 -m pip --python "$fresh/bin/python" install --quiet --disable-pip-version-check --no-input \
    --require-hashes --only-binary :all: -r "$requirements"
printf '%s\n' "$key" >"$fresh/.key"

old=$(readlink "$local/venv" || true)
ln -s "venv.$$" "$link"
python3 -c 'import os, sys; os.replace(sys.argv[1], sys.argv[2])' "$link" "$local/venv"
case $old in venv.[0-9]*) rm -rf "${local:?}/$old" ;; esac
