"""Service integrations: one client per service, to the stand-in's endpoint, and only those that we test.

Upstream sends every integration to `http://localhost:$MOTO_PORT` and makes a client for each call (40 ms). Its
`aws-sdk:*` integrations lack the translation of member names, so a definition that uses one is refused by name instead of
being run wrongly: `repairs.states` does that when the definition is read.
"""

import threading

import boto3
from botocore.config import Config
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils


def apply(settings):
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
            return clients[service]

    lambda_eval_utils.boto_client_for = client_for
