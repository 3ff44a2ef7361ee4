#!/usr/bin/env bash
# Return everybody to the old server, or end the time in which that is possible.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/stack.sh
. scripts/stack.sh

usage() {
    cat <<'END'
usage: fail-back.sh STACK RUN            fails back: returns everybody to the old server of the run RUN
       fail-back.sh --close STACK ARN    ends the time in which that is possible; ARN is the upgrade's execution

RUN is the run's id, as the output of the upgrade has it (run.id). If something would be lost by failing back, the
execution ends with FailBackUnsafe and has changed nothing (docs/runbook/FailBackUnsafe.md).

variables: YES=1 does not ask · ACCEPT='["table shop.audit: new"]' accepts to leave these behind
END
}

close=
case ${1:-} in
    -h | --help) usage; exit 0 ;;
    --close) close=1; shift ;;
esac
[ $# -eq 2 ] || { usage >&2; exit 1; }
stack=$1 what=$2
need_stack_name "$stack"
[[ $what =~ ^[a-zA-Z0-9:_-]+$ ]] || fail "'$what' is neither the id of a run nor the ARN of an execution"
need_cli
[ -n "$(stack_status "$stack")" ] || fail "there is no stack $stack in $AWS_REGION"

if [ -n "$close" ]; then
    machine=recover
    input="{\"executionArn\": \"$what\", \"reason\": \"closing\"}"
    question="Give up the possibility to fail back? The old server stops following the new one"
else
    machine=fail-back
    input="{\"runId\": \"$what\", \"accept\": ${ACCEPT:-[]}}"
    question="Return all clients of stack $stack to the old server? They are without a database for some seconds"
fi
confirm "$question" || fail "nothing was started"
execution=$(cloud stepfunctions start-execution --query executionArn --output text --input "$input" \
    --state-machine-arn "arn:$partition:states:$AWS_REGION:$account:stateMachine:$stack-$machine")
echo "started $execution"
echo "follow it with: make watch EXECUTION=$execution"
