#!/usr/bin/env bash
# Deploy the built functions into a local CloudFormation, check everything, run a plan, delete the stack.
set -euo pipefail
cd "$(dirname "$0")/.."

bash scripts/build-functions.sh
sh scripts/setup-python.sh checks
sh scripts/setup-python.sh deployment
.local/checks/bin/python scripts/validate-template.py
cargo build --quiet --workspace --bins
exec target/debug/test-deploy
