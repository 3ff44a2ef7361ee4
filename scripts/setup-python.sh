#!/bin/sh
# Make .local/<name>: a Python environment with exactly what a requirements file lists, every artifact checked by hash.
#
#   setup-python.sh             .local/venv: the Step Functions interpreter and the conformance tests
#   setup-python.sh NAME        .local/NAME: the tools of scripts/python/NAME.txt
#
# Made once for each content of the file and each place; a second call only compares a key. A new environment is built beside the old
# one and takes its place by a rename, so an interrupted call leaves the old one or none, never half of one. Two calls
# at once both build, and either result serves.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
name=${1:-venv}
case $name in
    venv) requirements=$root/tests/local-aws/interpreter/requirements.txt ;;
    *) requirements=$root/scripts/python/$name.txt ;;
esac
[ -f "$requirements" ] || { echo "setup-python: there is no $requirements" >&2; exit 1; }
local=$root/.local
mkdir -p "$local"
# Its programs begin with the path of its interpreter, so an environment that was moved is made anew.
place=$(cd "$local" && pwd -P)
key=$(cksum <"$requirements")-$(python3 -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')-$place

[ "$(cat "$local/$name/.key" 2>/dev/null)" = "$key" ] && exit 0

echo "setting up Python packages in .local/$name (once)" >&2
fresh=$place/$name.$$
link=$local/$name.link.$$
trap 'rm -rf "$link"; [ "$(readlink "$local/$name")" = "$name.$$" ] || rm -rf "$fresh"' EXIT
trap 'exit 1' HUP INT TERM

# Without pip inside: Debian's python3 lacks ensurepip unless python3-venv is installed, and pip reaches in by --python.
# Without dependencies: the files list all, and cargo-lambda would bring 400 MB of a compiler that nobody asked for.
python3 -m venv --without-pip "$fresh"
python3 -m pip --python "$fresh/bin/python" install --quiet --disable-pip-version-check --no-input \
    --require-hashes --no-deps --only-binary :all: -r "$requirements"
printf '%s\n' "$key" >"$fresh/.key"

old=$(readlink "$local/$name" || true)
ln -s "$name.$$" "$link"
python3 -c 'import os, sys; os.replace(sys.argv[1], sys.argv[2])' "$link" "$local/$name"
case $old in "$name".[0-9]*) rm -rf "${local:?}/$old" ;; esac
