"""Reading a definition, and the states that differ from AWS in a detail."""

import json

from moto.stepfunctions.parser.api import ExecutionFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.choice.state_choice import StateChoice
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.parse import preprocessor

# What the self-test covers. Anything else is refused at CreateStateMachine.
SERVED_RESOURCES = (
    "arn:aws:states:::lambda:invoke",
    "arn:aws:states:::lambda:invoke.waitForTaskToken",
    # EC2's member names are the same in both spellings, so these need no translation.
    "arn:aws:states:::aws-sdk:ec2:authorizeSecurityGroupIngress",
    "arn:aws:states:::aws-sdk:ec2:describeSecurityGroupRules",
    "arn:aws:states:::aws-sdk:ec2:revokeSecurityGroupIngress",
)


def apply():
    _choices()
    _wildcards()
    _json_strings()


def _choices():
    """A Choice that matches nothing is `States.NoChoiceMatched` (upstream: `States.Runtime`); its own Assign and Output
    belong to its Default alone (upstream: to every rule that leads where the Default does)."""

    def eval_state(self, env):
        for rule in self.choices_decl.rules:
            rule.eval(env)
            if env.stack.pop() is True:
                env.stack.append(rule.next_stmt.name)
                return
        if self.default_state is None:
            raise _no_choice_matched(env, self.name)
        if self.assign_decl:
            self.assign_decl.eval(env=env)
        if self.output:
            self.output.eval(env=env)
        env.stack.append(self.default_state.state_name)

    def eval_state_output(self, env):
        next_state = env.stack.pop()
        if self._is_language_query_jsonpath():
            if self.output_path:
                self.output_path.eval(env=env)
            else:
                env.states.reset(input_value=env.stack.pop())
        env.next_state_name = next_state

    StateChoice._eval_state = eval_state
    StateChoice._eval_state_output = eval_state_output


def _no_choice_matched(env, state):
    name = StatesErrorName(typ=StatesErrorNameType.StatesNoChoiceMatched)
    details = ExecutionFailedEventDetails(
        error=name.error_name,
        cause=f"An error occurred while executing the state '{state}'. Failed to transition out of the state. "
        "The state does not point to a next state.",
    )
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=name,
            event_type=HistoryEventType.ExecutionFailed,
            event_details=EventDetails(executionFailedEventDetails=details),
        )
    )


def _wildcards():
    """`States.ALL` matches neither of the two errors that end every execution (upstream: it does), and
    `States.TaskFailed` is the same but for time-outs (upstream: it matches no error of the engine's own)."""
    always_final = {"States.DataLimitExceeded", "States.Runtime"}

    def matches(self, env):
        error = env.stack.pop().error_name
        named = {name.error_name for name in self.error_names}
        env.stack.append(
            error in named
            or ("States.ALL" in named and error not in always_final)
            or ("States.TaskFailed" in named and error not in always_final | {"States.Timeout"})
        )

    ErrorEqualsDecl._eval_body = matches


def _json_strings():
    """Upstream cuts the quotes off a string literal and leaves its escapes (\\n, \\", \\u00e4) undecoded."""

    def inner_string(parser_rule_context):
        text = parser_rule_context.getText()
        return json.loads(text) if text[:1] == '"' else None if text == "null" else text

    for member in vars(preprocessor).values():
        if isinstance(member, type) and "_inner_string_of" in vars(member):
            member._inner_string_of = staticmethod(inner_string)


def refusal(definition):
    """Why this engine will not run a definition, or `None`. It reads far more than has been tested."""
    try:
        machine = json.loads(definition)
    except ValueError as error:
        return f"INVALID_JSON_DESCRIPTION: {error}"
    return next(_refusals(machine), None) if isinstance(machine, dict) else "MISSING_START_AT: not an object"


def _refusals(machine):
    """What is wrong in a machine, a branch or an iteration: transitions too, which upstream follows blindly."""
    states = machine.get("States", {})
    if machine.get("StartAt") not in states:
        yield f"MISSING_TRANSITION_TARGET: StartAt names no state: {machine.get('StartAt')}"
    for name, state in states.items():
        for target in _targets(state):
            if target not in states:
                yield f"MISSING_TRANSITION_TARGET: {name} leads to no state: {target}"
        if any(catcher.get("Next") == name for catcher in state.get("Catch", ())):
            yield f"the local stand-in does not run a Catch that leads back to its own state ({name})"
        resource = state.get("Resource", "")
        if state.get("Type") == "Task" and resource not in SERVED_RESOURCES and not resource.startswith("arn:aws:lambda:"):
            yield f"the local stand-in does not run {resource} ({name})"
        if state.get("Type") not in ("Choice", "Succeed", "Fail") and not ("Next" in state) ^ (state.get("End") is True):
            yield f"MISSING_END: {name} needs Next or End"
        if state.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
            yield f"the local stand-in does not run a distributed Map ({name})"
        for inner in (*state.get("Branches", ()), *filter(None, (state.get("ItemProcessor"), state.get("Iterator")))):
            yield from _refusals(inner)


def _targets(state):
    edges = [state, *state.get("Catch", ()), *state.get("Choices", ())]
    return {edge[key] for edge in edges for key in ("Next", "Default") if key in edge}
