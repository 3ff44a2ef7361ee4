"""How an execution ends: at once, once, and told to whoever listens.

StopExecution and a machine's TimeoutSeconds end an execution while a task still runs; on AWS the status changes at that
moment and the history is closed. Upstream waits for the task, lets it write further events, and forgets the error and
cause that StopExecution was given. Upstream also publishes no `Step Functions Execution Status Change`.
"""

import threading

from moto.stepfunctions.parser.api import (
    ExecutionAbortedEventDetails,
    ExecutionTimedOutEventDetails,
    HistoryEventType,
)
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.eval.program_state import ProgramRunning, ProgramStopped, ProgramTimedOut
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution

LAST_EVENTS = {
    HistoryEventType.ExecutionSucceeded,
    HistoryEventType.ExecutionFailed,
    HistoryEventType.ExecutionAborted,
    HistoryEventType.ExecutionTimedOut,
}


def apply(publish):
    _end_at_once()
    _keep_the_first_ending()
    _close_the_history()
    _tell(publish)


def _end_at_once():
    """Wait for the machine's thread, its time-out, or a stop; leave a thread that is still in a task behind."""
    upstream = Program.eval

    def evaluate(self, env):
        if env.is_frame():
            return upstream(self, env)
        env.next_state_name = self.start_at.start_at_name
        env.ended = threading.Event()

        def work():
            try:
                EvalComponent.eval(self, env)
            finally:
                env.ended.set()

        threading.Thread(target=work, daemon=True).start()
        if not env.ended.wait(self.timeout_seconds.timeout_seconds if self.timeout_seconds else None):
            with env._state_mutex:
                if env.is_running():
                    env.set_timed_out()
        _write_last_event(env)

    stop = Environment.set_stop

    def set_stop(self, stop_date, cause, error):
        stop(self, stop_date=stop_date, cause=cause, error=error)
        if isinstance(self._program_state, ProgramStopped) and hasattr(self, "ended"):
            self.ended.set()

    Program.eval = evaluate
    Environment.set_stop = set_stop


def _write_last_event(env):
    state = env.program_state()
    if isinstance(state, ProgramStopped):
        kind = HistoryEventType.ExecutionAborted
        details = EventDetails(executionAbortedEventDetails=ExecutionAbortedEventDetails(error=state.error, cause=state.cause))
    elif isinstance(state, ProgramTimedOut):
        kind = HistoryEventType.ExecutionTimedOut
        details = EventDetails(executionTimedOutEventDetails=ExecutionTimedOutEventDetails())
    else:
        return  # the thread has written it
    env.event_manager.add_event(context=env.event_history_context, event_type=kind, event_details=details)


def _keep_the_first_ending():
    """A task that fails after the stop must not turn the stop into a failure."""
    upstream = Environment.set_error

    def set_error(self, error):
        with self._state_mutex:
            if self._program_state is None or isinstance(self._program_state, ProgramRunning):
                upstream(self, error)

    Environment.set_error = set_error


def _close_the_history():
    upstream, lock = EventManager.add_event, threading.Lock()

    def add_event(self, context, event_type, *args, **kwargs):
        with lock:
            if getattr(self, "closed", False):
                return 0
            if event_type in LAST_EVENTS:
                self.closed = True
            return upstream(self, context, event_type, *args, **kwargs)

    EventManager.add_event = add_event


def _tell(publish):
    start, terminated = Execution.start, BaseExecutionWorkerCommunication.terminated

    def started(self):
        start(self)
        publish(status_change(self, "RUNNING"))

    def ended(self):
        execution = self.execution
        state = execution.exec_worker.env.program_state()
        if isinstance(state, ProgramStopped):
            execution.error, execution.cause = state.error, state.cause
        terminated(self)
        publish(status_change(execution, execution.status))

    Execution.start = started
    BaseExecutionWorkerCommunication.terminated = ended


def status_change(execution, status):
    """The `detail` of EventBridge's event, as the developer guide's examples have it (dates in milliseconds)."""
    from api import described  # the same fields as DescribeExecution's

    detail = described(execution, status)
    for date in ("startDate", "stopDate"):
        detail[date] = round(detail[date] * 1000) if detail.get(date) else None
    return {**{key: None for key in ("output", "outputDetails", "error", "cause")}, **detail}
