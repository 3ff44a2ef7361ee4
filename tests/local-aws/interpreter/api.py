"""The Step Functions API over HTTP (JSON 1.0): what the stand-in serves of it, on moto's backend.

Written here rather than taken from moto's server, whose answers differ from AWS's in dates, encodings, pages and error
members, and which needs a web framework for a dozen operations.
"""

import copy
import datetime
import functools
import http.server
import inspect
import json
import threading
import time
import uuid

from moto.core.exceptions import AWSError
from moto.stepfunctions.parser import models

from repairs import states


class ApiError(Exception):
    """An error of the published model."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


# Upstream raises these without the message that their class asks for.
for code, text in (
    ("InvalidToken", "Invalid Token: 'Invalid token'"),
    ("TaskDoesNotExist", "Task does not exist"),
    ("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'"),
):
    setattr(models, code, functools.partial(ApiError, code, text))


class Api:
    """One method an operation, by its name in the model."""

    def __init__(self, account, region):
        self.backend = models.stepfunctions_parser_backends[account][region]
        self.lock = threading.Lock()
        self.answered = set()

    def CreateStateMachine(self, definition, name, roleArn, type="STANDARD", **ignored):
        _check(definition)
        arn = f"arn:aws:states:{self.backend.region_name}:{self.backend.account_id}:stateMachine:{name}"
        with self.lock:
            existing = next((machine for machine in self.backend.state_machines if machine.arn == arn), None)
            if existing and (existing.definition, existing.roleArn) != (definition, roleArn):
                raise ApiError("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
            machine = self.backend.create_state_machine(name=name, definition=definition, roleArn=roleArn, sm_type=type)
        return {"stateMachineArn": machine.arn, "creationDate": _epoch(machine.creation_date)}

    def UpdateStateMachine(self, stateMachineArn, definition=None, roleArn=None, **ignored):
        if definition is not None:
            _check(definition)
        machine = self.backend.update_state_machine(stateMachineArn, definition=definition, role_arn=roleArn)
        return {"updateDate": _epoch(machine.update_date)}

    def DescribeStateMachine(self, stateMachineArn, **ignored):
        machine = self.backend.describe_state_machine(stateMachineArn)
        return {
            "stateMachineArn": machine.arn,
            "name": machine.name,
            "status": "ACTIVE",
            "definition": machine.definition,
            "roleArn": machine.roleArn,
            "type": machine.type,
            "creationDate": _epoch(machine.creation_date),
        }

    def DeleteStateMachine(self, stateMachineArn):
        self.backend.delete_state_machine(stateMachineArn)
        return {}

    def ListStateMachines(self, maxResults=100, nextToken=None):
        listed = [
            {"stateMachineArn": m.arn, "name": m.name, "type": m.type, "creationDate": _epoch(m.creation_date)}
            for m in self.backend.state_machines
        ]
        return _page("stateMachines", listed, maxResults or 100, nextToken)

    def StartExecution(self, stateMachineArn, name=None, input="{}", **ignored):
        try:
            json.loads(input)
        except ValueError as error:
            raise ApiError("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'") from error
        with self.lock:
            execution = self.backend.start_execution(stateMachineArn, name or str(uuid.uuid4()), input)
        return {"executionArn": execution.exec_arn, "startDate": _epoch(execution.start_date)}

    def StopExecution(self, executionArn, error=None, cause=None):
        execution = self.backend.describe_execution(executionArn)

        def stopped():
            # An execution that has just been started has no environment yet, and one that does not run yet ignores this.
            if execution.exec_worker.env is not None:
                execution.stop(stop_date=datetime.datetime.now(datetime.timezone.utc), error=error, cause=cause)
            return execution.status != "RUNNING"

        _wait_until(stopped)
        return {"stopDate": _epoch(execution.stop_date)}

    def DescribeExecution(self, executionArn, **ignored):
        execution = self.backend.describe_execution(executionArn)
        return described(execution, execution.status)

    def ListExecutions(self, stateMachineArn, statusFilter=None, maxResults=100, nextToken=None, **ignored):
        machine = self.backend.describe_state_machine(stateMachineArn)
        listed = [
            {key: value for key, value in described(e, e.status).items() if key in _LISTED}
            for e in reversed(machine.executions)
            if statusFilter in (None, e.status)
        ]
        return _page("executions", listed, maxResults or 100, nextToken)

    def GetExecutionHistory(self, executionArn, maxResults=100, reverseOrder=False, nextToken=None, includeExecutionData=True):
        execution = self.backend.describe_execution(executionArn)
        page = _page("events", _events(execution, reverseOrder), maxResults or 100, nextToken)
        page["events"] = [_described_event(event, includeExecutionData) for event in page["events"]]
        return page

    def SendTaskSuccess(self, taskToken, output):
        return self._answer(taskToken, lambda: self.backend.send_task_success(taskToken, output))

    def SendTaskFailure(self, taskToken, error=None, cause=None):
        return self._answer(taskToken, lambda: self.backend.send_task_failure(taskToken, error=error, cause=cause))

    def _answer(self, token, pass_on):
        """The first answer to a token closes it. Upstream takes every one, the last while the task still waits, and calls
        the token of a closed task unknown."""
        with self.lock:
            if token in self.answered or self._is_closed(token):
                raise models.TaskTimedOut()
            pass_on()
            self.answered.add(token)
        return {}

    def _is_closed(self, token):
        for execution in self.backend._get_executions():
            environment = execution.exec_worker.env
            endpoint = environment.callback_pool_manager.get(token) if environment else None
            if endpoint:
                return endpoint.consumer_error is not None or execution.exec_status != "RUNNING"
        return False

    def SendTaskHeartbeat(self, taskToken):
        self.backend.send_task_heartbeat(taskToken)
        return {}


_LISTED = ("executionArn", "stateMachineArn", "name", "status", "startDate", "stopDate")


def described(execution, status):
    """An execution as DescribeExecution has it; `status` is given, for it may change while this is written."""
    answer = {
        "executionArn": execution.exec_arn,
        "stateMachineArn": execution.state_machine.arn,
        "name": execution.name,
        "status": status,
        "startDate": _epoch(execution.start_date),
        "input": execution.execution_input,
        "inputDetails": {"included": True},
    }
    if status != "RUNNING":
        answer["stopDate"] = _epoch(execution.stop_date)
    if status == "SUCCEEDED":
        answer["output"] = json.dumps(execution.output, separators=(",", ":"), default=str)
        answer["outputDetails"] = {"included": True}
    for key in ("error", "cause"):
        if getattr(execution, key) is not None:
            answer[key] = getattr(execution, key)
    return answer


def _check(definition):
    reason = states.refusal(definition)
    if reason:
        raise ApiError("InvalidDefinition", f"Invalid State Machine Definition: '{reason}'")


def _events(execution, reverse):
    """What has happened so far. Upstream copies every event with its payload at every call; only a page is asked for."""
    environment = execution.exec_worker.env
    if environment is None:
        return []
    manager = environment.event_manager
    with manager._mutex:
        events = list(manager._history_event_list)
    return events[::-1] if reverse else events


def _described_event(event, includes_data):
    event = copy.deepcopy(event)
    event["timestamp"] = _epoch(datetime.datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00")))
    if not includes_data:
        for details in (value for value in event.values() if isinstance(value, dict)):
            for key in ("input", "output"):
                details.pop(key, None)
    return event


def _page(name, items, size, token):
    """A page: the token is the position, which is stable because history and lists only grow at one end."""
    try:
        start = int(token or 0)
    except ValueError as error:
        raise ApiError("InvalidToken", f"Invalid Token: '{token}'") from error
    page = {name: items[start : start + size]}
    if start + size < len(items):
        page["nextToken"] = str(start + size)
    return page


def _wait_until(condition, seconds=5):
    """Wait for another thread of this process that is on its way."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise ApiError("InternalFailure", f"the engine did not answer within {seconds} s")
        time.sleep(0.002)


def _epoch(date):
    """Epoch seconds; moto's dates of machines are UTC without saying so."""
    return (date if date.tzinfo else date.replace(tzinfo=datetime.timezone.utc)).timestamp()


def server(api, host="127.0.0.1", port=0):
    """An HTTP server for an `Api`; a thread a connection."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else 40 ms an answer
        wbufsize = -1

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, answer = _answer(api, self.headers.get("x-amz-target", ""), body)
            encoded = json.dumps(answer, default=str).encode()
            self.send_response(status)
            self.send_header("content-type", "application/x-amz-json-1.0")
            self.send_header("content-length", str(len(encoded)))
            self.send_header("x-amzn-requestid", str(uuid.uuid4()))
            if "__type" in answer:
                self.send_header("x-amzn-errortype", answer["__type"])
            self.end_headers()
            self.wfile.write(encoded)

        def log_message(self, *_):
            """The gateway keeps the call log."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    return Server((host, port), Handler)


def _answer(api, target, body):
    operation = target.rpartition(".")[2]
    method = getattr(api, operation, None) if operation[:1].isupper() else None
    if method is None:
        return 501, {"__type": "NotImplemented", "message": f"the local stand-in does not serve {operation}"}
    try:
        call = inspect.signature(method).bind(**json.loads(body or b"{}"))
    except (TypeError, ValueError) as error:
        return 400, {"__type": "ValidationException", "message": str(error)}
    try:
        return 200, method(*call.args, **call.kwargs)
    except ApiError as error:
        return 400, {"__type": error.code, "message": str(error)}
    except AWSError as error:
        return 400, {"__type": error.relative_error_type, "message": error.message}
    except Exception as error:  # the engine's own: named, so that a test sees where it came from
        return 500, {"__type": "InternalFailure", "message": f"local stand-in: {type(error).__name__}: {error}"}
