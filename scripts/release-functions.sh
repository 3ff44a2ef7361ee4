#!/usr/bin/env bash
# Build the functions for Lambda if they are missing or older than the sources, for a rehearsal with the builds that are deployed.
set -euo pipefail
cd "$(dirname "$0")/.."

case $(uname -m) in aarch64 | arm64) own=arm64 ;; *) own=x86_64 ;; esac

why_build() {
    local oldest="" zip newer
    for main in functions/*/src/main.rs engines/*/*/src/main.rs; do
        zip=target/lambda/$(basename "${main%/src/main.rs}")/bootstrap.zip
        [ -f "$zip" ] || { echo "$zip is missing"; return; }
        [ -n "$oldest" ] && [ "$oldest" -ot "$zip" ] || oldest=$zip
    done
    [ "$(cat target/lambda/architecture 2>/dev/null)" = "$own" ] || { echo "target/lambda is not for $own"; return; }
    newer=$(find crates engines functions Cargo.toml Cargo.lock rust-toolchain.toml -type f -newer "$oldest" \
        ! -name '*.md' ! -name '*.yaml' ! -path '*/tests/*' -print -quit)
    [ -z "$newer" ] || echo "$newer is newer than $oldest"
}

reason=$(why_build)
if [ -n "$reason" ]; then
    echo "building the functions for Lambda first, which takes a few minutes ($reason)"
    bash scripts/build-functions.sh
fi
