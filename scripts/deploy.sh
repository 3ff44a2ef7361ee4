#!/usr/bin/env bash
# Package and deploy the template as a stack.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/stack.sh
. scripts/stack.sh

usage() {
    cat <<'END'
usage: deploy.sh STACK [PARAMETERS-FILE]

Packages the built functions and the rendered state machines, and creates or changes the stack STACK.
PARAMETERS-FILE has a line Name=Value for each parameter; infra/parameters.example explains all of them.
An existing stack keeps the values that the file does not name. The script shows you the changes of an
existing stack and asks before it carries them out.

variables: YES=1 does not ask · BUCKET=name the bucket for the packages (default: the script creates one)
           AWS_PROFILE, AWS_REGION as for the AWS CLI · AWS_CLI=path another AWS CLI
END
}

case ${1:-} in
    -h | --help) usage; exit 0 ;;
    '') usage >&2; exit 1 ;;
esac
stack=$1
file=${2:-}
need_stack_name "$stack"
need_cli
[ -f target/statemachine/upgrade.asl.json ] || fail "the state machines are not rendered; run: make machines"
[ -f target/lambda/architecture ] || fail "the functions are not built; run: make build"

status=$(stack_status "$stack")
case $status in
    *_IN_PROGRESS) fail "another change of the stack is in progress ($status); try again when it has ended" ;;
    ROLLBACK_COMPLETE) fail "the stack's creation failed and left an empty stack; delete it first: make remove STACK=$stack" ;;
esac

overrides=("Architecture=$(cat target/lambda/architecture)")
if [ -n "$file" ]; then
    [ -f "$file" ] || fail "there is no file $file"
    while IFS= read -r line || [ -n "$line" ]; do
        [[ $line =~ ^[[:space:]]*(#|$) ]] && continue
        [[ $line =~ ^[A-Za-z0-9]+= ]] || fail "$file: expected Name=Value, found: $line"
        overrides+=("$line")
    done <"$file"
elif [ -z "$status" ]; then
    fail "a new stack needs its parameters: copy infra/parameters.example, fill it in, and add PARAMETERS=your-file"
fi
# DMS requires two roles once in each account. The stack creates those that do not exist.
if [ -z "$status" ] && [[ ${overrides[*]} != *CreateDmsRoles=* ]]; then
    roles=()
    cloud iam get-role --role-name dms-vpc-role >/dev/null 2>&1 || roles+=(vpc)
    cloud iam get-role --role-name dms-cloudwatch-logs-role >/dev/null 2>&1 || roles+=(logs)
    create=${roles[0]:-no}
    [ ${#roles[@]} -lt 2 ] || create=yes
    if [ "$create" != no ]; then
        echo "the account lacks roles that DMS requires; the stack creates them (CreateDmsRoles=$create)"
        overrides+=("CreateDmsRoles=$create")
    fi
fi

bucket=$(package_bucket)
if ! cloud s3api head-bucket --bucket "$bucket" 2>/dev/null; then
    echo "creating bucket $bucket for the packages"
    cloud s3 mb "s3://$bucket" >/dev/null
    cloud s3api put-public-access-block --bucket "$bucket" --public-access-block-configuration \
        BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
fi
runs=$(running_executions "$stack")
if [ -n "$runs" ]; then
    echo "these runs continue with the definition and the code that they started with:"
    printf '%s\n' "$runs" | sed 's/^/  /'
fi

settings=(--stack-name "$stack" --s3-bucket "$bucket" --s3-prefix "$stack"
    --capabilities CAPABILITY_IAM CAPABILITY_NAMED_IAM CAPABILITY_AUTO_EXPAND
    --no-fail-on-empty-changeset --parameter-overrides "${overrides[@]}")
ask=
if [ -n "$status" ] && [ -z "${YES:-}" ]; then ask=1; fi

# With the AWS CLI only: the SAM CLI parses parameters by its own rules and fails on the `{` of a JSON value.
deploy() {
    echo "uploading to s3://$bucket/$stack"
    local said # a progress bar with a line for every 256 kB, or the reason of a failure
    said=$(cloud cloudformation package --template-file infra/template.yaml --s3-bucket "$bucket" --s3-prefix "$stack" \
        --output-template-file target/template.packaged.yaml 2>&1) || fail "packaging failed: $(tail -n 3 <<<"$said" | tail -c 2000)"
    local deploy=(cloudformation deploy --template-file target/template.packaged.yaml --tags "pgleap:stack=$stack" "${settings[@]}")
    if [ -z "$ask" ]; then cloud "${deploy[@]}"; return; fi
    local answer changes
    answer=$(cloud "${deploy[@]}" --no-execute-changeset)
    changes=$(grep -oE 'arn:[a-z-]+:cloudformation:[^ ]*:changeSet/[^ ]*' <<<"$answer" || true)
    if [ -z "$changes" ]; then echo "the stack has no changes"; return; fi
    cloud cloudformation describe-change-set --change-set-name "$changes" --output table \
        --query 'Changes[].ResourceChange.[Action,LogicalResourceId,ResourceType,Replacement]'
    if ! confirm "Carry out these changes to stack $stack?"; then
        cloud cloudformation delete-change-set --change-set-name "$changes"
        fail "nothing was changed"
    fi
    cloud cloudformation execute-change-set --change-set-name "$changes"
    cloud cloudformation wait stack-update-complete --stack-name "$stack"
}

deploy
echo
cloud cloudformation describe-stacks --stack-name "$stack" --output text \
    --query 'Stacks[0].Outputs[].[OutputKey,Description,OutputValue]' |
    while IFS=$'\t' read -r key description value; do printf '%s: %s\n  %s\n' "$key" "$description" "$value"; done
