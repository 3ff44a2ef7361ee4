#!/usr/bin/env bash
# Remove a stack and its packages.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/stack.sh
. scripts/stack.sh

usage() {
    cat <<'END'
usage: remove.sh STACK

Removes the stack STACK with everything in it, and its packages. Refuses while a run is under way.
What stays: databases, the record and the secrets of runs, which are no part of the stack, and the
two roles of DMS if the stack made them, because others in the account may use them.

variables: YES=1 does not ask · BUCKET=name as for deploy
END
}

case ${1:-} in
    -h | --help) usage; exit 0 ;;
    '') usage >&2; exit 1 ;;
esac
stack=$1
need_stack_name "$stack"
need_cli
status=$(stack_status "$stack")
[ -n "$status" ] || fail "there is no stack $stack in $AWS_REGION"
runs=$(running_executions "$stack")
[ -z "$runs" ] || fail "a run is under way, and would be left without its way back; wait for it, or stop it and let it recover: $runs"
confirm "Remove stack $stack of account $account in $AWS_REGION?" || fail "nothing was removed"

cloud cloudformation delete-stack --stack-name "$stack"
cloud cloudformation wait stack-delete-complete --stack-name "$stack"
bucket=$(package_bucket)
if cloud s3api head-bucket --bucket "$bucket" 2>/dev/null; then
    cloud s3 rm --recursive --quiet "s3://$bucket/$stack/"
    if [ -z "$(cloud s3 ls "s3://$bucket")" ]; then cloud s3 rb "s3://$bucket" >/dev/null; fi
fi
echo "stack $stack is gone"
if cloud iam get-role --role-name dms-vpc-role >/dev/null 2>&1; then
    echo "dms-vpc-role and dms-cloudwatch-logs-role are in the account still; delete them if nothing else uses DMS"
fi
