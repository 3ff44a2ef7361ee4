"""What is served, and an input for each operation made from the uncut model."""

import datetime
import json
import os
import pathlib

from . import subject

MODELS = pathlib.Path(__file__).parents[2] / "local-aws/core/models"
ALL_SERVICES = "rds,dms,route53,secretsmanager,scheduler,ec2,sns,sts,events"
SERVICES = os.environ.get("SUBJECT_SERVICES", ALL_SERVICES).split(",")
# A global endpoint's id makes a client sign with SigV4a, for which botocore needs a native library.
LEFT_OUT = ("EndpointId",)
MOMENT = datetime.datetime(2026, 1, 31, 10, 0, 0, tzinfo=datetime.timezone.utc)


def operations():
    """(service, client, operation model) of all that is served."""
    for service in SERVICES:
        served = json.loads((MODELS / f"{service}.json").read_text())["operations"]
        client = subject.client(service)
        for name in served:
            yield service, client, client.meta.service_model.operation_model(name)


def filled(shape, name="x"):
    """A value with every member that a client may send."""
    if shape.type_name == "structure":
        return {member: filled(inner, member) for member, inner in shape.members.items() if member not in LEFT_OUT}
    if shape.type_name == "list":
        length = 1 if shape.metadata.get("max", 2) < 2 else 2
        return [filled(shape.member, f"{name}{n}") for n in range(length)]
    if shape.type_name == "map":
        return {key: filled(shape.value, key) for key in ("a", "b")}
    if shape.type_name == "string":
        return text(shape, name)
    if shape.type_name in ("integer", "long"):
        return max(7, shape.metadata.get("min", 7)) if shape.metadata.get("max", 7) >= 7 else shape.metadata["max"]
    return {"boolean": True, "double": 1.5, "float": 1.5, "timestamp": MOMENT, "blob": b"\x00\x01\xfe\xff"}[
        shape.type_name
    ]


def text(shape, name):
    """A string of the allowed length, with characters that need escaping where nothing forbids them."""
    if shape.enum:
        return shape.enum[-1]
    plain = "pattern" in shape.metadata or shape.serialization.get("location")
    wanted = f"{name}1" if plain else f"{name} <&\"'> +=%üß€\\ \t\n."
    wanted = "".join(character for character in wanted if character.isalnum()) if plain else wanted
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max", len(wanted))
    return (wanted * (1 + least // len(wanted)))[: max(least, min(len(wanted), most))]


def method(client, operation):
    """The client's method of an operation."""
    names = {api: python for python, api in client.meta.method_to_api_mapping.items()}
    return getattr(client, names[operation.name])


def minimal(operation):
    """The input with what is required and no more."""
    if operation.input_shape is None:
        return {}
    everything = filled(operation.input_shape)
    return {name: everything[name] for name in operation.input_shape.required_members}
