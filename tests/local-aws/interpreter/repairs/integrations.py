"""Service integrations: one client per service, to the stand-in's endpoint, and only those that we test.

Upstream sends every integration to `http://localhost:$MOTO_PORT` and makes a client for each call (40 ms). Its
`aws-sdk:*` integrations lack the translation of member names, so a definition that uses one is refused by name instead of
being run wrongly, but for three of EC2 that need none: `repairs.states` does that when the definition is read.
"""

import threading

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_aws_sdk,
    state_task_service_lambda,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_lambda import StateTaskServiceLambda
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails


# Read by the local Lambda, for disturbances that are planned for one state. AWS sends nothing like it.
STATE_HEADER = "x-local-aws-state"

_calling = threading.local()


def apply(settings):
    _clients(settings)
    _lost_connections()
    _calling_state()
    _calls_that_are_not_waited_for()


def _clients(settings):
    clients, lock = {}, threading.Lock()

    def client_for(region, service, state_credentials=None):
        with lock:
            if service not in clients:
                clients[service] = boto3.client(
                    service,
                    region_name=settings.region,
                    endpoint_url=settings.endpoint,
                    aws_access_key_id="STATES",
                    aws_secret_access_key="local",
                    # Step Functions neither validates nor repeats a call by itself; a state's Retry does. A branch
                    # each: Parallel and Map make many calls at once, and a Lambda may take its 15 minutes.
                    config=Config(
                        parameter_validation=False,
                        retries={"total_max_attempts": 1},
                        connect_timeout=10,
                        read_timeout=930,
                        max_pool_connections=64,
                    ),
                )
                clients[service].meta.events.register("before-send", _add_state)
            return clients[service]

    lambda_eval_utils.boto_client_for = client_for
    state_task_service_aws_sdk.boto_client_for = client_for


def _calling_state():
    """Remember which state of which machine calls, until its call is sent from this thread."""
    upstream = StateTaskServiceLambda._eval_service_task

    def eval_service_task(self, env, *arguments, **named):
        context = env.states.context_object.context_object_data
        _calling.state = f"{context['StateMachine']['Name']}/{context['State']['Name']}"
        try:
            return upstream(self, env, *arguments, **named)
        finally:
            _calling.state = None

    StateTaskServiceLambda._eval_service_task = eval_service_task


def _add_state(request, **ignored):
    if state := getattr(_calling, "state", None):
        request.headers[STATE_HEADER] = state


def _calls_that_are_not_waited_for():
    """Upstream drops `InvocationType`, and waits for the answer of every function."""
    state_task_service_lambda._SUPPORTED_API_PARAM_BINDINGS["invoke"].add("InvocationType")


def _lost_connections():
    """A call whose connection breaks is `Lambda.SdkClientException` on AWS; upstream says `States.Runtime`."""
    upstream = StateTaskServiceLambda._from_error

    def from_error(self, env, ex):
        if not isinstance(ex, BotoCoreError):
            return upstream(self, env, ex)
        name = CustomErrorName("Lambda.SdkClientException")
        details = TaskFailedEventDetails(
            error=name.error_name,
            cause=str(ex),
            resource=self._get_sfn_resource(),
            resourceType=self._get_sfn_resource_type(),
        )
        return FailureEvent(
            env=env,
            error_name=name,
            event_type=HistoryEventType.TaskFailed,
            event_details=EventDetails(taskFailedEventDetails=details),
        )

    StateTaskServiceLambda._from_error = from_error
