"""The whole wire: every member of every input arrives, every member of every output and every error comes back."""

import base64
import datetime
import pathlib
import json
import unittest

import botocore.exceptions

from . import subject

MODELS = pathlib.Path(__file__).parents[2] / "local-aws/core/models"
SERVICES = ("rds", "dms", "route53", "secretsmanager", "scheduler", "events")
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


def plain(value):
    """A value of botocore as the stand-in holds it: moments as epoch seconds, bytes as base64."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime.datetime):
        return round(value.timestamp(), 3)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


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


class Wire(unittest.TestCase):
    maxDiff = None

    def test_every_input_arrives_whole(self):
        for service, client, operation in operations():
            with self.subTest(service=service, operation=operation.name):
                sent = filled(operation.input_shape) if operation.input_shape else {}
                method(client, operation)(**sent)
                seen = subject.side_channel("/mirror/last")
                self.assertEqual(seen["operation"], operation.name)
                self.assertEqual(seen["input"], plain(sent))

    def test_every_output_comes_back_whole(self):
        for service, client, operation in operations():
            with self.subTest(service=service, operation=operation.name):
                answer = method(client, operation)(**minimal(operation))
                self.assertEqual(plain(answer), subject.side_channel("/mirror/last")["output"])

    def test_every_error_comes_back_with_its_code_and_status(self):
        for service, client, operation in operations():
            for shape in operation.error_shapes:
                with self.subTest(service=service, operation=operation.name, error=shape.name):
                    status = shape.metadata.get("error", {}).get("httpStatusCode", 400)
                    fault = f"{service}:{operation.name}:1:error={shape.error_code},{status},on <purpose>"
                    subject.side_channel("/mirror/fault", fault)
                    with self.assertRaises(botocore.exceptions.ClientError) as raised:
                        method(client, operation)(**minimal(operation))
                    error = raised.exception.response
                    self.assertEqual(error["Error"]["Code"], shape.error_code)
                    self.assertEqual(error["Error"]["Message"], "on <purpose>")
                    self.assertEqual(error["ResponseMetadata"]["HTTPStatusCode"], status)
                    self.assertIsInstance(raised.exception, client.exceptions.from_code(shape.error_code))

    def test_an_input_without_what_is_required_is_refused(self):
        expected = {"rds": "MissingParameter", "route53": "InvalidInput"}
        for service, _, operation in operations():
            client = subject.client(service, validate_inputs=False)
            shape = operation.input_shape
            in_path = {name for name, member in shape.members.items() if member.serialization.get("location") == "uri"}
            for missing in set(shape.required_members if shape else []) - in_path:
                with self.subTest(service=service, operation=operation.name, missing=missing):
                    sent = {name: value for name, value in minimal(operation).items() if name != missing}
                    with self.assertRaises(botocore.exceptions.ClientError) as raised:
                        method(client, operation)(**sent)
                    error = raised.exception.response["Error"]
                    self.assertEqual(error["Code"], expected.get(service, "ValidationException"))
                    self.assertIn(missing.lower(), error["Message"].lower())

    def test_a_value_outside_its_enum_is_refused(self):
        expected = {"rds": "InvalidParameterValue", "route53": "InvalidInput"}
        tried = 0
        for service, _, operation in operations():
            client = subject.client(service, validate_inputs=False)
            for name, member in operation.input_shape.members.items() if operation.input_shape else ():
                if member.type_name == "string" and member.enum and not member.serialization.get("location") == "uri":
                    with self.subTest(service=service, operation=operation.name, member=name):
                        tried += 1
                        with self.assertRaises(botocore.exceptions.ClientError) as raised:
                            method(client, operation)(**{**minimal(operation), name: "no-such-choice"})
                        error = raised.exception.response["Error"]
                        self.assertEqual(error["Code"], expected.get(service, "ValidationException"))
        self.assertGreater(tried, 20)


if __name__ == "__main__":
    unittest.main()
