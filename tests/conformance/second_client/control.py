"""Secrets Manager, Scheduler and EventBridge rules."""

import datetime
import json
import unittest
import uuid

import botocore.exceptions

from . import subject


def name():
    return f"conformance-{uuid.uuid4().hex[:12]}"


class Case(unittest.TestCase):
    maxDiff = None

    def refused(self, code, status, call, **sent):
        with self.assertRaises(botocore.exceptions.ClientError) as raised:
            call(**sent)
        self.assertEqual(raised.exception.response["Error"]["Code"], code)
        self.assertEqual(raised.exception.response["ResponseMetadata"]["HTTPStatusCode"], status)


class Secrets(Case):
    def setUp(self):
        self.client = subject.client("secretsmanager")

    def test_a_secret_lives_and_dies(self):
        secret = name()
        made = self.client.create_secret(
            Name=secret, SecretString="one", Description="why", Tags=[{"Key": "pgleap:run", "Value": "r1"}]
        )
        self.assertRegex(made["ARN"], rf"^arn:aws:secretsmanager:eu-west-1:\d{{12}}:secret:{secret}-[A-Za-z0-9]{{6}}$")
        for identifier in (secret, made["ARN"]):
            got = self.client.get_secret_value(SecretId=identifier)
            self.assertEqual((got["SecretString"], got["VersionStages"]), ("one", ["AWSCURRENT"]))
        put = self.client.put_secret_value(SecretId=secret, SecretString="two")
        self.assertNotEqual(put["VersionId"], made["VersionId"])
        self.assertEqual(self.client.get_secret_value(SecretId=secret)["SecretString"], "two")
        previous = self.client.get_secret_value(SecretId=secret, VersionStage="AWSPREVIOUS")
        self.assertEqual((previous["SecretString"], previous["VersionId"]), ("one", made["VersionId"]))
        self.client.tag_resource(SecretId=secret, Tags=[{"Key": "more", "Value": "x"}])
        described = self.client.describe_secret(SecretId=secret)
        self.assertEqual({tag["Key"]: tag["Value"] for tag in described["Tags"]}, {"pgleap:run": "r1", "more": "x"})
        self.client.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
        self.refused("ResourceNotFoundException", 400, self.client.get_secret_value, SecretId=secret)

    def test_a_token_makes_a_creation_repeatable(self):
        secret, token = name(), str(uuid.uuid4())
        first = self.client.create_secret(Name=secret, SecretString="one", ClientRequestToken=token)
        again = self.client.create_secret(Name=secret, SecretString="one", ClientRequestToken=token)
        self.assertEqual(first["VersionId"], again["VersionId"])
        self.refused("ResourceExistsException", 400, self.client.create_secret, Name=secret, SecretString="two")

    def test_secrets_are_listed_in_pages(self):
        secrets = {name() for _ in range(5)}
        for secret in secrets:
            self.client.create_secret(Name=secret, SecretString="x")
        pages = self.client.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 2})
        found = [secret["Name"] for page in pages for secret in page["SecretList"]]
        self.assertLessEqual(secrets, set(found))
        self.assertEqual(len(found), len(set(found)))

    def test_a_random_password_keeps_to_its_rules(self):
        password = self.client.get_random_password(PasswordLength=40, ExcludePunctuation=True)["RandomPassword"]
        self.assertEqual(len(password), 40)
        self.assertTrue(password.isalnum())


class Schedules(Case):
    def setUp(self):
        self.client = subject.client("scheduler")
        self.at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)

    def sent(self, schedule, **more):
        target = {
            "Arn": "arn:aws:lambda:eu-west-1:111122223333:function:none",
            "RoleArn": "arn:aws:iam::111122223333:role/none",
            "Input": json.dumps({"runId": "r1"}),
        }
        return {
            "Name": schedule,
            "ScheduleExpression": f"at({self.at:%Y-%m-%dT%H:%M:%S})",
            "Target": target,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            **more,
        }

    def test_a_schedule_lives_and_dies(self):
        schedule = name()
        made = self.client.create_schedule(**self.sent(schedule))
        self.assertIn(f"schedule/default/{schedule}", made["ScheduleArn"])
        got = self.client.get_schedule(Name=schedule)
        for member, value in self.sent(schedule).items():
            self.assertEqual(got[member], value)
        self.client.update_schedule(**self.sent(schedule, State="DISABLED"))
        self.assertEqual(self.client.get_schedule(Name=schedule)["State"], "DISABLED")
        listed = self.client.list_schedules(NamePrefix=schedule)["Schedules"]
        self.assertEqual([found["Name"] for found in listed], [schedule])
        self.client.delete_schedule(Name=schedule)
        self.refused("ResourceNotFoundException", 404, self.client.get_schedule, Name=schedule)
        self.refused("ResourceNotFoundException", 404, self.client.delete_schedule, Name=schedule)

    def test_a_name_is_taken_once(self):
        schedule = name()
        self.client.create_schedule(**self.sent(schedule))
        self.refused("ConflictException", 409, self.client.create_schedule, **self.sent(schedule))
        self.client.delete_schedule(Name=schedule)

    def test_a_bad_expression_is_refused(self):
        for expression in ("at(tomorrow)", "soon"):
            with self.subTest(expression=expression):
                sent = self.sent(name(), ScheduleExpression=expression)
                self.refused("ValidationException", 400, self.client.create_schedule, **sent)


class Rules(Case):
    def setUp(self):
        self.client = subject.client("events")

    def test_a_rule_lives_and_dies(self):
        rule = name()
        pattern = {"source": ["aws.states"], "detail": {"status": ["FAILED", "TIMED_OUT", "ABORTED"]}}
        made = self.client.put_rule(Name=rule, EventPattern=json.dumps(pattern), State="ENABLED")
        self.assertTrue(made["RuleArn"].endswith(f":rule/{rule}"))
        described = self.client.describe_rule(Name=rule)
        self.assertEqual((json.loads(described["EventPattern"]), described["State"]), (pattern, "ENABLED"))
        target = {"Id": "recover", "Arn": "arn:aws:states:eu-west-1:111122223333:stateMachine:recover"}
        put = self.client.put_targets(Rule=rule, Targets=[target])
        self.assertEqual((put["FailedEntryCount"], put["FailedEntries"]), (0, []))
        self.assertEqual(self.client.list_targets_by_rule(Rule=rule)["Targets"], [target])
        self.refused("ValidationException", 400, self.client.delete_rule, Name=rule)
        self.client.remove_targets(Rule=rule, Ids=["recover"])
        self.client.delete_rule(Name=rule)
        self.refused("ResourceNotFoundException", 400, self.client.describe_rule, Name=rule)

    def test_a_bad_pattern_is_refused(self):
        for pattern in ("{", '{"source": "aws.states"}'):
            with self.subTest(pattern=pattern):
                self.refused(
                    "InvalidEventPatternException", 400, self.client.put_rule, Name=name(), EventPattern=pattern
                )
