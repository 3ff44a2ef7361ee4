#!/usr/bin/env bash
# Build the functions for AWS Lambda: a zip per step in target/lambda/<step>/bootstrap.zip.
set -euo pipefail

usage() {
    cat <<'END'
usage: build-functions.sh [--arch x86_64|arm64] [--with-empty] [STEP...]

Builds every step (or the named ones) for Lambda's provided.al2023 and packs each into
target/lambda/<step>/bootstrap.zip. Refuses a binary that needs a newer C library than AL2023 has,
and a zip of 5 MB or more.

--with-empty also builds a function that does nothing, for bench-lambda to compare with.

Building for arm64 on another processor needs its Rust standard library (rustup target add
aarch64-unknown-linux-gnu) and zig (pip install ziglang).
END
}

fail() { echo "build-functions: $*" >&2; exit 1; }

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
readonly newest_glibc=2.34 # the version in provided.al2023
readonly most_bytes=5000000 # a zip below 5 MB starts fast and uploads quickly

case $(uname -m) in aarch64 | arm64) own=arm64 ;; *) own=x86_64 ;; esac
arch=$own
empty=
steps=()
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --arch) [ $# -ge 2 ] || fail "--arch needs a value; see --help"; arch=$2; shift 2 ;;
        --with-empty) empty=1; shift ;;
        -*) fail "unknown option $1; see --help" ;;
        *) steps+=("$1"); shift ;;
    esac
done
case $arch in
    x86_64) triple=x86_64-unknown-linux-gnu ;;
    arm64) triple=aarch64-unknown-linux-gnu ;;
    *) fail "--arch is '$arch'; it must be x86_64 or arm64" ;;
esac
if [ ${#steps[@]} -eq 0 ]; then
    for main in functions/*/src/main.rs engines/*/*/src/main.rs; do steps+=("$(basename "${main%/src/main.rs}")"); done
fi
for step in "${steps[@]}"; do
    compgen -G "functions/$step/src/main.rs" >/dev/null || compgen -G "engines/*/$step/src/main.rs" >/dev/null ||
        fail "there is no step $step; functions/README.md lists all steps"
done

standard_library=$(rustc --print sysroot)/lib/rustlib/$triple/lib
[ -d "$standard_library" ] ||
    fail "Rust's standard library for $arch is missing; install it with: rustup target add $triple"
compiler=cargo
if command -v zig >/dev/null || python3 -c 'import ziglang' 2>/dev/null; then compiler=cargo_zigbuild; fi
[ "$arch" = "$own" ] || [ "$compiler" = cargo_zigbuild ] ||
    fail "building $arch on $own needs zig; install it with: pip install ziglang"

sh scripts/setup-python.sh build
# Its own target folder: cargo lambda builds for a target triple and a processor, so it shares nothing with other builds.
export CARGO_TARGET_DIR=target/for-lambda
cargo_lambda() {
    .local/build/bin/cargo-lambda lambda build --release --locked --quiet --compiler "$compiler" --target "$triple" \
        --lambda-dir target/lambda --output-format zip "$@"
}
selection=()
for step in "${steps[@]}"; do selection+=(--package "$step"); done
# In the same call: in a separate one, cargo would choose other features and compile half of the libraries again.
if [ -n "$empty" ]; then selection+=(--package empty-function); fi
cargo_lambda "${selection[@]}"

echo "$arch" >target/lambda/architecture
printf '%-22s %10s %10s %8s\n' "step ($arch)" binary zip GLIBC
for step in "${steps[@]}"; do
    binary=target/for-lambda/$triple/release/$step
    zip=target/lambda/$step/bootstrap.zip
    glibc=$({ grep -aoE 'GLIBC_2\.[0-9]+' "$binary" || true; } | sort -uV | tail -n 1)
    glibc=${glibc#GLIBC_}
    bytes=$(wc -c <"$zip")
    printf '%-22s %7d kB %7d kB %8s\n' "$step" $(($(wc -c <"$binary") / 1000)) $((bytes / 1000)) "$glibc"
    [ "$(printf '%s\n' "$glibc" "$newest_glibc" | sort -V | tail -n 1)" = "$newest_glibc" ] ||
        fail "$step needs GLIBC $glibc, but provided.al2023 has $newest_glibc; build on an older system, or install zig"
    [ "$bytes" -lt "$most_bytes" ] || fail "the zip of $step has $bytes bytes; it must have fewer than $most_bytes"
done
