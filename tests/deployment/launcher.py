"""ministack with the resource types that its CloudFormation lacks, made with the operations that it has."""

import json

from ministack.app import main
from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions
from ministack.services.cloudformation import changesets, engine, handlers, provisioners, stacks


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

def create_composite(_logical_id, properties, _stack):
    """Only remembered: there is no alarm here that it could hear of."""
    name = properties["AlarmName"]
    return name, {"Arn": f"arn:aws:cloudwatch:{get_region()}:{get_account_id()}:alarm:{name}"}


make_alarm = provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::Alarm"]["create"]


def create_alarm(logical_id, properties, stack):
    made = create_composite if "Metrics" in properties else make_alarm  # of expressions ministack knows nothing
    return made(logical_id, properties, stack)


provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::Alarm"]["create"] = create_alarm
provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::CompositeAlarm"] = {
    "create": create_composite,
    "delete": lambda _name, _: None,
}


secrets = provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]
make_secret, delete_secret = secrets["create"], secrets["delete"]


def create_secret(logical_id, properties, stack):
    """On AWS `Ref` gives a secret's ARN; ministack gives its name."""
    _name, attributes = make_secret(logical_id, properties, stack)
    return attributes["Arn"], attributes


def name_of(arn):
    return arn.split(":secret:")[1].rsplit("-", 1)[0]


evaluate_conditions = engine._evaluate_conditions


def join_parameters(expression, parameters):
    """Each join of a list parameter in a condition, which AWS evaluates and ministack takes for true."""
    if isinstance(expression, list):
        return [join_parameters(one, parameters) for one in expression]
    if not isinstance(expression, dict):
        return expression
    if "Fn::Join" in expression:
        separator, items = expression["Fn::Join"]
        return separator.join(str(parameters[items["Ref"]]["Value"]).split(","))
    return {name: join_parameters(one, parameters) for name, one in expression.items()}


def with_joins(template, parameters):
    conditions = join_parameters(template.get("Conditions", {}), parameters)
    return evaluate_conditions({**template, "Conditions": conditions}, parameters)


for module in (changesets, engine, handlers, stacks):
    module._evaluate_conditions = with_joins

secrets["create"] = create_secret
secrets["delete"] = lambda arn, properties: delete_secret(name_of(arn), properties)

if __name__ == "__main__":
    main()
