"""Clients for the subject at SUBJECT_URL, and what every answer of it must satisfy."""

import functools
import json
import os
import urllib.request

import botocore.config
import botocore.session
import botocore.validate

URL = os.environ["SUBJECT_URL"]

# Errors that every AWS service may answer and no model lists.
COMMON_ERRORS = {
    "AccessDenied", "AccessDeniedException", "ExpiredToken", "IncompleteSignature",
    "InvalidAction", "InvalidParameterCombination", "InvalidParameterValue", "InvalidQueryParameter",
    "MalformedQueryString", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
    "MissingParameter", "NoSuchVersion", "SerializationException", "Throttling",
    "ThrottlingException", "UnknownOperationException", "ValidationError", "ValidationException",
    # DMS, seen in public reports
    "InvalidParameterCombinationException", "InvalidParameterValueException",
}  # fmt: skip

# Answered in capitals, sent in small letters (seen in public reports of DMS).
CAPITALS_IN_ANSWERS = {"ReplicationEndpointTypeValue"}


class Nonconformance(AssertionError):
    """An answer that the published model does not allow."""


class NotServed(Nonconformance):
    """The stand-in says by name that it does not serve this."""


@functools.cache
def client(service, check=True, validate_inputs=True, access_key_id="SECONDCLIENT"):
    """A botocore client of the subject that tries once; with `check`, every answer is held against the model."""
    made = botocore.session.Session().create_client(
        service,
        aws_access_key_id=access_key_id,
        aws_secret_access_key="secret",
        region_name="eu-west-1",
        endpoint_url=URL,
        config=botocore.config.Config(
            retries={"total_max_attempts": 1},
            parameter_validation=validate_inputs,
            connect_timeout=5,
            read_timeout=60,
        ),
    )
    if check:
        made.meta.events.register(f"after-call.{made.meta.service_model.service_id.hyphenize()}", hold_against_model)
    return made


def hold_against_model(http_response, parsed, model, **_):
    """Raise if an answer, good or bad, is not what the uncut model says of the operation."""
    if http_response.status_code >= 300:
        listed = {shape.error_code: shape for shape in model.error_shapes}
        code = parsed["Error"]["Code"]
        if code == "NotImplemented":
            raise NotServed(f"{model.name}: {parsed['Error']['Message']}")
        # EC2's model lists no errors at all.
        publishes_errors = model.service_model.service_name != "ec2"
        if publishes_errors and code not in listed and code not in COMMON_ERRORS:
            raise Nonconformance(f"{model.name}: error {code} is not in the model: {parsed['Error']['Message']}")
        expected = listed[code].metadata.get("error", {}).get("httpStatusCode") if code in listed else None
        if expected not in (None, http_response.status_code):
            raise Nonconformance(f"{model.name}: {code} came with {http_response.status_code}, not {expected}")
    elif model.output_shape is not None:
        answer = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
        report = botocore.validate.ParamValidator().validate(answer, model.output_shape)
        if report.has_errors():
            raise Nonconformance(f"{model.name}: {report.generate_report()}")
        for path, found, allowed in bad_choices(model.output_shape, answer, model.name):
            raise Nonconformance(f"{path}: {found!r} is not one of {allowed}")


def bad_choices(shape, value, path):
    """Strings that are none of their shape's enum values, which botocore's validator leaves alone."""
    if value is None:
        return
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from bad_choices(member, value.get(name), f"{path}.{name}")
    elif shape.type_name == "list":
        for index, item in enumerate(value):
            yield from bad_choices(shape.member, item, f"{path}[{index}]")
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from bad_choices(shape.value, item, f"{path}.{key}")
    elif shape.type_name == "string" and shape.enum:
        allowed = shape.enum + [choice.upper() for choice in shape.enum if shape.name in CAPITALS_IN_ANSWERS]
        if value not in allowed:
            yield path, value, allowed


def side_channel(path, body=None):
    """What the mirror says of the last call."""
    request = urllib.request.Request(URL + path, data=body.encode() if body else None)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)
