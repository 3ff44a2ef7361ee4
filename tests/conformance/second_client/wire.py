"""The whole wire: every member of every input arrives, every member of every output and every error comes back."""

import base64
import datetime
import unittest

import botocore.exceptions

from . import subject
from .served import filled, method, minimal, operations


def plain(value):
    """A value of botocore as the stand-in holds it: moments as epoch seconds, bytes as base64."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime.datetime):
        return round(value.timestamp(), 3)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


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
        expected = {"rds": "MissingParameter", "sns": "MissingParameter", "sts": "MissingParameter", "route53": "InvalidInput"}
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
