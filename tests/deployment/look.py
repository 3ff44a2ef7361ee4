"""Everything of a stack that the checks compare, as one JSON: a process for each question would take minutes."""

import json
import sys

import boto3


def inline_statements(iam, role):
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
    return [statement for document in documents for statement in document["Statement"]]


def look(stack):
    functions, iam, machines = boto3.client("lambda"), boto3.client("iam"), boto3.client("stepfunctions")
    resources = boto3.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    by_type = lambda kind: [resource["PhysicalResourceId"] for resource in resources if resource["ResourceType"] == kind]
    return {
        "resources": resources,
        "functions": {
            name: functions.get_function_configuration(FunctionName=name, Qualifier="1")
            for name in by_type("AWS::Lambda::Function")
        },
        "statements": {role: inline_statements(iam, role) for role in by_type("AWS::IAM::Role")},
        "definitions": {
            arn: json.loads(machines.describe_state_machine(stateMachineArn=arn)["definition"])
            for arn in by_type("AWS::StepFunctions::StateMachine")
        },
    }


json.dump(look(sys.argv[1]), sys.stdout, default=str)
