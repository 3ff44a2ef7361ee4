# What the scripts that change a stack share. Sourced, not run.
# shellcheck shell=bash

fail() { echo "$(basename "$0" .sh): $*" >&2; exit 1; }

# Ask a person; no person is a no.
confirm() {
    if [ -n "${YES:-}" ]; then return 0; fi
    [ -t 0 ] || fail "$1 Nobody is there to ask; say YES=1 if that is what you want"
    local answer
    read -r -p "$1 [y/N] " answer
    [[ $answer == [yY] || $answer == [yY][eE][sS] ]]
}

# The AWS CLI, quiet and without a pager. AWS_CLI names another one.
cloud() { AWS_PAGER='' "${AWS_CLI:-aws}" "$@"; }

need_cli() {
    command -v "${AWS_CLI:-aws}" >/dev/null ||
        fail "the AWS CLI is missing; see https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
    region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(cloud configure get region || true)}}
    [ -n "$region" ] || fail "no Region; set AWS_REGION, e.g. to eu-west-1"
    export AWS_REGION=$region AWS_DEFAULT_REGION=$region # one version of the CLI knows only the second
    account=$(cloud sts get-caller-identity --query Account --output text) ||
        fail "AWS does not know who you are; set AWS_PROFILE, or run aws configure"
}

need_stack_name() {
    [[ ${1:-} =~ ^[a-z][a-z0-9-]{0,39}$ ]] ||
        fail "a stack's name has lower-case letters, digits and hyphens, at most 40, and begins with a letter: '${1:-}'"
}

# The stack's status, or nothing if there is none.
stack_status() {
    cloud cloudformation describe-stacks --stack-name "$1" --query 'Stacks[0].StackStatus' --output text 2>/dev/null || true
}

stack_output() {
    cloud cloudformation describe-stacks --stack-name "$1" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$2'].OutputValue"
}

# Runs that are under way.
running_executions() {
    cloud stepfunctions list-executions --status-filter RUNNING --query 'executions[].executionArn' --output text \
        --state-machine-arn "arn:${partition:-aws}:states:$AWS_REGION:$account:stateMachine:$1-upgrade" 2>/dev/null || true
}

# Where packages are kept: one bucket an account and Region, a folder a stack.
package_bucket() { echo "${BUCKET:-pgleap-packages-$account-$AWS_REGION}"; }
