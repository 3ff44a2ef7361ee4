#!/bin/sh
# Create .local/<name>: a Python environment with exactly what a requirements file lists, every artifact checked by hash.
#
#   setup-python.sh             .local/venv: the Step Functions interpreter and the conformance tests
#   setup-python.sh NAME        .local/NAME: the tools of scripts/python/NAME.txt
#
# It is created once for each content of the file and each folder; a second call only compares a key. A new environment is built
# beside the old one and replaces it by a rename, so an interrupted call leaves the old one or none, never half of one. If two
# calls run at once, both build, and either result works.
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
# The environment's programs contain the path of its interpreter, so one that was moved is created again.
place=$(cd "$local" && pwd -P)
key=$(cksum <"$requirements")-$(python3 -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')-$place

[ "$(cat "$local/$name/.key" 2>/dev/null)" = "$key" ] && exit 0

echo "setting up Python packages in .local/$name (once)" >&2
fresh=$place/$name.$$
link=$local/$name.link.$$
trap 'rm -rf "$link"; [ "$(readlink "$local/$name")" = "$name.$$" ] || rm -rf "$fresh"' EXIT
trap 'exit 1' HUP INT TERM

# Without pip inside: Debian's python3 lacks ensurepip unless python3-venv is installed, and --python lets pip install from outside.
# Without dependencies: the files list all of them, and cargo-lambda would add a compiler of 400 MB that is not needed.
python3 -m venv --without-pip "$fresh"
python3 -m pip --python "$fresh/bin/python" install --quiet --disable-pip-version-check --no-input \
    --require-hashes --no-deps --only-binary :all: -r "$requirements"
printf '%s\n' "$key" >"$fresh/.key"

old=$(readlink "$local/$name" || true)
ln -s "$name.$$" "$link"
python3 -c 'import os, sys; os.replace(sys.argv[1], sys.argv[2])' "$link" "$local/$name"
case $old in "$name".[0-9]*) rm -rf "${local:?}/$old" ;; esac
