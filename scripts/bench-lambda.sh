#!/usr/bin/env bash
# Measure the cold start of every function as it is deployed, and of one that does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

bash scripts/build-functions.sh --with-empty
cargo build --quiet --package lambda-bench --bin bench-lambda
binaries=target/for-lambda/$(rustc -vV | sed -n 's/^host: //p')/release
target/debug/bench-lambda --binaries "$binaries" --empty "$binaries/empty-function" "$@"
