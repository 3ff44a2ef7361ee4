"""Variables: every expression of a state sees them as they were when the state was entered.

Upstream assigns at once, so that an Output after an Assign sees the new values. Here an assignment waits until the state
is left. One that belongs to an attempt which failed afterwards is forgotten.
"""

from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.variable_store import IllegalOuterScopeWrite, VariableStore
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str


def apply():
    def assign(self, variable_identifier, variable_value):
        if variable_identifier in self._outer_scope:
            raise IllegalOuterScopeWrite(variable_identifier, variable_value)
        _pending(self)[variable_identifier] = variable_value

    VariableStore.set = assign
    # What the history's StateExited event shows.
    VariableStore.get_assigned_variables = lambda self: {
        name: to_json_str(value, separators=(",", ":")) for name, value in _pending(self).items()
    }
    _take_effect_when_the_state_is_left()
    _forget_after_a_failure()


def _pending(store):
    return vars(store).setdefault("pending", {})


def _take_effect_when_the_state_is_left():
    upstream = CommonStateField._eval_body

    def eval_body(self, env):
        _pending(env.variable_store).clear()
        upstream(self, env)
        env.variable_store._inner_scope.update(_pending(env.variable_store))

    CommonStateField._eval_body = eval_body


def _forget_after_a_failure():
    for handler in ("_handle_retry", "_handle_catch"):

        def handle(self, env, failure_event, upstream=getattr(ExecutionState, handler)):
            _pending(env.variable_store).clear()
            return upstream(self, env, failure_event)

        setattr(ExecutionState, handler, handle)
