#!/bin/sh
# Creates a target folder for a copy of the project, with hard links to what was compiled for the project. So external crates
# are not compiled again and take no space. In one common folder, cargo would mistake the copy's programs for the project's,
# because it does not check whether the file under a program's name is the one that it built last.
set -eu
from=$1
to=$2
if [ -d "$from/debug/deps" ] && [ ! -d "$to/debug/deps" ]; then
    mkdir -p "$to/debug"
    cp -a "$from/debug/.fingerprint" "$to/debug/"
    cp -al "$from/debug/build" "$from/debug/deps" "$to/debug/"
fi
