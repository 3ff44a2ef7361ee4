"""Waiting: to scale, and to be woken.

Wait states given in seconds and the intervals of a Retry stand for the minutes that AWS takes, so they shrink with the
stand-in's clock. TimeoutSeconds, HeartbeatSeconds and Wait states until a timestamp are real: they guard real work. So
are the waits and Retry intervals of the states of `--real-wait`: they wait out something that does not shrink, such as
the TTL of a record, or the time that a change of a record takes to reach the name servers.
Upstream sleeps through a Retry's interval when the execution is stopped, and then makes one more attempt.
"""

import time

from moto.stepfunctions.parser.asl.component.common.retry.max_attempts_decl import MaxAttemptsOutcome
from moto.stepfunctions.parser.asl.component.common.retry.retrier_decl import RetrierDecl
from moto.stepfunctions.parser.asl.component.common.retry.retrier_outcome import RetrierOutcome
from moto.stepfunctions.parser.asl.component.state.wait.state_wait import StateWait
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.timestamp import Timestamp
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction


def apply(settings):
    of_upstream = StateWait.from_state_props

    def from_state_props(self, state_props):
        of_upstream(self, state_props)
        self.wait_function.is_real = self.name in settings.real_wait

    def wait(self, env):
        scale = 1 if isinstance(self, Timestamp) or self.is_real else settings.wait_scale
        sleep(env, self._get_wait_seconds(env=env) * scale)

    def retry(self, env):
        self.error_equals.eval(env)
        if not env.stack.pop():
            env.stack.append(RetrierOutcome.Skipped)
            return
        self.max_attempts.eval(env=env)
        if env.stack.pop() == MaxAttemptsOutcome.EXHAUSTED:
            env.stack.append(RetrierOutcome.Failed)
            return
        for part in (self.interval_seconds, self.backoff_rate, self.max_delay_seconds, self.jitter_strategy):
            part.eval(env=env)
        state = env.states.context_object.context_object_data["State"]["Name"]
        scale = 1 if state in settings.real_wait else settings.wait_scale
        sleep(env, env.stack.pop() * scale)
        env.stack.append(RetrierOutcome.Executed)

    StateWait.from_state_props = from_state_props
    WaitFunction._eval_body = wait
    RetrierDecl._eval_body = retry


def sleep(env, seconds):
    """Sleep until the time is over or the execution (or branch) no longer runs."""
    end = time.monotonic() + seconds
    while env.is_running() and (left := end - time.monotonic()) > 0:
        # The event is set and cleared in one breath; a short slice covers a change between the two lines.
        env.program_state_event.wait(min(left, 0.5))
