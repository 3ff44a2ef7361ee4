"""ministack with the two resource types that its CloudFormation lacks, made with the operations that it has."""

import json

from ministack.app import main
from ministack.services import stepfunctions
from ministack.services.cloudformation import provisioners


def ask(operation, data):
    status, _, body = operation(data)
    answer = json.loads(body or "{}")
    if status >= 400:
        raise ValueError(f"{operation.__name__.strip('_')}: {answer}")
    return answer


def create_version(_logical_id, properties, _stack):
    machine = properties["StateMachineArn"]
    arn = ask(stepfunctions._publish_state_machine_version, {"stateMachineArn": machine})["stateMachineVersionArn"]
    return arn, {"Arn": arn}


def create_alias(_logical_id, properties, _stack):
    # SAM writes `DeploymentPreference` for a shift at once, or `RoutingConfiguration`.
    version = properties["DeploymentPreference"]["StateMachineVersionArn"]
    routing = [{"stateMachineVersionArn": version, "weight": 100}]
    made = ask(stepfunctions._create_state_machine_alias, {"name": properties["Name"], "routingConfiguration": routing})
    return made["stateMachineAliasArn"], {"Arn": made["stateMachineAliasArn"]}


provisioners._RESOURCE_HANDLERS["AWS::StepFunctions::StateMachineVersion"] = {
    "create": create_version,
    "delete": lambda arn, _: ask(stepfunctions._delete_state_machine_version, {"stateMachineVersionArn": arn}),
}
provisioners._RESOURCE_HANDLERS["AWS::StepFunctions::StateMachineAlias"] = {
    "create": create_alias,
    "delete": lambda arn, _: ask(stepfunctions._delete_state_machine_alias, {"stateMachineAliasArn": arn}),
}

if __name__ == "__main__":
    main()
