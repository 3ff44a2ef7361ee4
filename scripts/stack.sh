# Functions that the scripts that change a stack share. This file is sourced, not run.
# shellcheck shell=bash

fail() { echo "$(basename "$0" .sh): $*" >&2; exit 1; }

# Ask the user. Without a terminal, the answer is no.
confirm() {
    if [ -n "${YES:-}" ]; then return 0; fi
    [ -t 0 ] || fail "$1 There is no terminal to ask on. Set YES=1 to agree without a question"
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
    [ -n "$region" ] || fail "no AWS Region is set; set AWS_REGION, e.g. to eu-west-1"
    export AWS_REGION=$region AWS_DEFAULT_REGION=$region # version 1 of the CLI reads only the second
    local identity
    identity=$(cloud sts get-caller-identity --query '[Account,Arn]' --output text) ||
        fail "the AWS CLI has no valid credentials; set AWS_PROFILE, or run aws configure"
    account=${identity%%[[:space:]]*}
    partition=${identity#*arn:}
    partition=${partition%%:*} # aws, aws-us-gov, aws-cn
}

need_stack_name() {
    [[ ${1:-} =~ ^[a-z][a-z0-9-]{0,39}$ ]] ||
        fail "the stack's name is '${1:-}'; it must begin with a letter and have at most 40 lower-case letters, digits and hyphens"
}

# The stack's status, or nothing if there is no such stack. Fails if the status cannot be read.
stack_status() {
    local said
    if said=$(cloud cloudformation describe-stacks --stack-name "$1" --query 'Stacks[0].StackStatus' --output text 2>&1); then
        echo "$said"
    elif [[ $said != *"does not exist"* ]]; then
        fail "cannot read the status of stack $1: $said"
    fi
}

stack_output() {
    cloud cloudformation describe-stacks --stack-name "$1" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$2'].OutputValue"
}

# Runs, recoveries and executions that fail back, as far as they are in progress, one per line. Fails if they cannot be listed, because the caller is about to
# delete or change what they need.
running_executions() {
    local machine said
    for machine in upgrade recover fail-back; do
        if said=$(cloud stepfunctions list-executions --status-filter RUNNING --query 'executions[].executionArn' \
            --output text --state-machine-arn "arn:$partition:states:$AWS_REGION:$account:stateMachine:$1-$machine" 2>&1); then
            tr '\t' '\n' <<<"$said" | grep '^arn:' || true
        elif [[ $said != *StateMachineDoesNotExist* ]]; then
            fail "cannot find out whether a run is in progress: $said"
        fi
    done
}

# Schedules of runs whose old server still follows the new one, one per line. Fails if they cannot be listed.
open_fail_backs() {
    local said
    said=$(cloud scheduler list-schedules --name-prefix pgleap- --output text --query "Schedules[?Target.Arn=='arn:$partition:states:$AWS_REGION:$account:stateMachine:$1-watch-fail-back'].Name" 2>&1) ||
        fail "cannot find out whether failing back is still possible: $said"
    tr '\t' '\n' <<<"$said" | grep '^pgleap-' || true
}

# The bucket for the packages: one for each account and Region, with a folder for each stack.
package_bucket() { echo "${BUCKET:-pgleap-packages-$account-$AWS_REGION}"; }
