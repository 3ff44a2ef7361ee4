#!/usr/bin/env bash
# Delete a stack and its packages.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/stack.sh
. scripts/stack.sh

usage() {
    cat <<'END'
usage: remove.sh STACK

Deletes the stack STACK with everything in it, and its packages. Refuses while a run is in progress, and
while failing back is still possible.
The databases, the record and the secrets of runs stay, because they are not part of the stack. The
two DMS roles stay even if the stack created them, because others in the account may use them.

variables: YES=1 does not ask · BUCKET=name as for deploy.sh
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
[ -z "$runs" ] || fail "a run is in progress, and could not roll back without the stack; wait until it ends, or stop it and wait for its recovery: $runs"
kept=$(open_fail_backs "$stack")
[ -z "$kept" ] || fail "the old server of a run still follows the new one, which ends with the stack; run make close-fail-back first, and wait for its execution ($kept)"
confirm "Delete stack $stack of account $account in $AWS_REGION?" || fail "nothing was deleted"

cloud cloudformation delete-stack --stack-name "$stack"
cloud cloudformation wait stack-delete-complete --stack-name "$stack"
bucket=$(package_bucket)
if cloud s3api head-bucket --bucket "$bucket" 2>/dev/null; then
    cloud s3 rm --recursive --quiet "s3://$bucket/$stack/"
    if [ -z "$(cloud s3 ls "s3://$bucket")" ]; then cloud s3 rb "s3://$bucket" >/dev/null; fi
fi
echo "stack $stack was deleted"
if cloud iam get-role --role-name dms-vpc-role >/dev/null 2>&1; then
    echo "the account still has the roles dms-vpc-role and dms-cloudwatch-logs-role; delete them if nothing else uses DMS"
fi
