"""Every operation on an empty stand-in: whatever it answers, its model allows it.

Nothing named exists, so most calls are refused; the point is that each is refused, or answered, as published, with
inputs of strange characters too, and that none breaks.
"""

import unittest

import botocore.exceptions

from . import subject
from .served import filled, method, minimal, operations


class Sweep(unittest.TestCase):
    def call(self, client, operation, sent, accepted=botocore.exceptions.ClientError):
        """Conformity is judged in the client's hooks; a refusal as such is fine."""
        try:
            method(client, operation)(**sent)
        except accepted:
            pass

    def test_every_operation_with_what_it_requires(self):
        for service, client, operation in operations():
            with self.subTest(service=service, operation=operation.name):
                self.call(client, operation, minimal(operation))

    def test_every_operation_with_every_member(self):
        """A member that is not served may say so, by name."""
        accepted = (botocore.exceptions.ClientError, subject.NotServed)
        for service, client, operation in operations():
            with self.subTest(service=service, operation=operation.name):
                sent = filled(operation.input_shape) if operation.input_shape else {}
                self.call(client, operation, sent, accepted)

    def test_every_list_really_pages(self):
        """A page size that the service takes is never exceeded, and the pages end."""
        for service, client, operation in operations():
            name = next(python for python, api in client.meta.method_to_api_mapping.items() if api == operation.name)
            if not client.can_paginate(name):
                continue
            with self.subTest(service=service, operation=operation.name):
                size = {"rds": 20, "dms": 20, "ec2": 5}.get(service, 1)
                pages = client.get_paginator(name).paginate(
                    **minimal(operation), PaginationConfig={"PageSize": size, "MaxItems": 5 * size}
                )
                try:
                    for page in pages:
                        found = [len(value) for value in page.values() if isinstance(value, list)]
                        self.assertLessEqual(max(found, default=0), size)
                except botocore.exceptions.ClientError:
                    pass  # nothing of that name; conformity is judged in the client's hooks


class Refusals(unittest.TestCase):
    def test_an_operation_that_is_not_served_says_so(self):
        for service, operation in (("route53", "list_hosted_zones"), ("events", "list_rules")):
            with self.subTest(service=service), self.assertRaises(botocore.exceptions.ClientError) as raised:
                getattr(subject.client(service, check=False), operation)()
            self.assertEqual(raised.exception.response["Error"]["Code"], "NotImplemented")
