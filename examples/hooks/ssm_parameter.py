"""A hook for pgleap: moves clients that read the host of their database from an SSM parameter.

Environment: PARAMETER is the name of the parameter with the host, MEMORY the name of a second one for this hook alone.
The role needs ssm:GetParameter and ssm:PutParameter on both. Give the function a timeout of a few seconds and a reserved
concurrency of 1, so that two calls never run side by side.

The contract is in docs/other-clients.md: be repeatable, refuse what is older than what was seen, refuse what is late,
and answer with an error unless the clients were moved.
"""

import json
import os
from datetime import datetime, timezone


class Refused(Exception):
    """The call must not move anybody."""


def handler(event, context, ssm=None):
    """What Lambda calls. Tests pass an SSM of their own."""
    ssm = ssm or connect()
    check(event, read_memory(ssm))
    host = ssm.get_parameter(Name=os.environ["PARAMETER"])["Parameter"]["Value"]
    # Remember before the change: a late call must be refused even if this one dies halfway.
    write(ssm, os.environ["MEMORY"], json.dumps({key: event[key] for key in ("runId", "generation", "direction")}))
    if host == event["to"]:
        return {"changed": False}
    if event["from"] is not None and host != event["from"]:
        raise Refused("somebody else has changed the parameter: it has neither of the two hosts")
    write(ssm, os.environ["PARAMETER"], event["to"])
    return {"changed": True}


def check(event, seen):
    """Refuse an event that is unknown, late, or older than what was seen."""
    if event["pgleap"] != 1:
        raise Refused(f"this hook does not know version {event['pgleap']} of the event")
    deadline = datetime.fromisoformat(event["deadline"].replace("Z", "+00:00"))
    if datetime.now(timezone.utc) > deadline:
        raise Refused("the deadline has passed")
    if seen.get("runId") != event["runId"]:
        return
    if event["generation"] < seen["generation"]:
        raise Refused("a newer generation of this run has been seen")
    if event["generation"] == seen["generation"] and (event["direction"], seen["direction"]) == ("forward", "back"):
        raise Refused("this cutover was rolled back")


def read_memory(ssm):
    """What was seen last; nothing before the first call."""
    try:
        return json.loads(ssm.get_parameter(Name=os.environ["MEMORY"])["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        return {}


def write(ssm, name, value):
    """Create or replace a parameter."""
    ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)


def connect():
    """SSM in the function's Region."""
    import boto3  # part of Lambda's Python runtime

    return boto3.client("ssm")
