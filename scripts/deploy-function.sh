#!/usr/bin/env bash
# Build one step and deploy it into an existing stack, to try it by hand.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/stack.sh
. scripts/stack.sh

usage() {
    cat <<'END'
usage: deploy-function.sh STACK STEP

Builds STEP and deploys it as the newest code of the function STACK-STEP (cargo lambda deploy), so that you can
invoke it by hand: aws lambda invoke --function-name STACK-STEP --payload '{...}' out.json
The function gets the memory and the timeout in the step's Cargo.toml.
The state machines call the versions that `make deploy` published, so no run uses this code before the next
`make deploy`.
END
}

case ${1:-} in
    -h | --help) usage; exit 0 ;;
    '') usage >&2; exit 1 ;;
esac
[ $# -eq 2 ] || fail "give a stack and a step; see --help"
stack=$1
step=$2
need_stack_name "$stack"
need_cli
function=$stack-$step
arch=$(cloud lambda get-function-configuration --function-name "$function" --query 'Architectures[0]' --output text) ||
    fail "there is no function $function in $AWS_REGION; deploy the stack first: make deploy STACK=$stack"
bash scripts/build-functions.sh --arch "$arch" "$step"
manifest=$(compgen -G "functions/$step/Cargo.toml" || compgen -G "engines/*/$step/Cargo.toml")
.local/build/bin/cargo-lambda lambda deploy --region "$AWS_REGION" --lambda-dir target/lambda \
    ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} --manifest-path "$manifest" --binary-name "$step" "$function"
