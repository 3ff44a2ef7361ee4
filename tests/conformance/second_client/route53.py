"""Route 53: its refusals, its pages, its published waiter, and what a record set keeps."""

import time
import unittest
import uuid

import botocore.exceptions

from . import subject


def record(name, kind="CNAME", value="x.example.org.", ttl=60, **more):
    return {"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": [{"Value": value}], **more}


class Route53(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.client = subject.client("route53")
        self.zone = self.client.create_hosted_zone(Name="example.com", CallerReference=str(uuid.uuid4()))
        self.id = self.zone["HostedZone"]["Id"]

    def change(self, *changes):
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": record} for action, record in changes]}
        return self.client.change_resource_record_sets(HostedZoneId=self.id, ChangeBatch=batch)["ChangeInfo"]

    def refusal(self, *changes):
        with self.assertRaises(self.client.exceptions.InvalidChangeBatch) as raised:
            self.change(*changes)
        self.assertEqual(raised.exception.response["ResponseMetadata"]["HTTPStatusCode"], 400)
        return raised.exception.response["Error"]["Message"]

    def records(self):
        pages = self.client.get_paginator("list_resource_record_sets").paginate(
            HostedZoneId=self.id, PaginationConfig={"PageSize": 2}
        )
        return [record for page in pages for record in page["ResourceRecordSets"]]

    def test_a_zone_is_made_found_and_removed(self):
        self.assertEqual(self.zone["HostedZone"]["Name"], "example.com.")
        self.assertIn(self.id.removeprefix("/hostedzone/"), self.zone["Location"])
        got = self.client.get_hosted_zone(Id=self.id)
        self.assertEqual(got["HostedZone"]["ResourceRecordSetCount"], 2)
        self.assertEqual(len(got["DelegationSet"]["NameServers"]), 4)
        found = self.client.list_hosted_zones_by_name(DNSName="example.com")["HostedZones"]
        self.assertIn(self.id, [zone["Id"] for zone in found])
        self.client.delete_hosted_zone(Id=self.id)
        with self.assertRaises(self.client.exceptions.NoSuchHostedZone):
            self.client.get_hosted_zone(Id=self.id)

    def test_a_record_set_keeps_every_member(self):
        weighted = record("w.example.com.", SetIdentifier="blue", Weight=0, HealthCheckId="abc")
        failover = record("f.example.com.", SetIdentifier="one", Failover="PRIMARY")
        alias = {
            "Name": "a.example.com.",
            "Type": "A",
            "AliasTarget": {"HostedZoneId": "Z1", "DNSName": "t.example.org.", "EvaluateTargetHealth": True},
        }
        self.change(("CREATE", weighted), ("CREATE", failover), ("CREATE", alias))
        self.assertEqual(self.records()[2:], [alias, failover, weighted])

    def test_records_come_in_pages_in_order(self):
        names = ["z.example.com.", "b.example.com.", "a.b.example.com.", "a.example.com.", "*.example.com."]
        self.change(*[("UPSERT", record(name, "A", "10.0.0.1")) for name in names])
        expected = ["\\052.example.com.", "a.example.com.", "b.example.com.", "a.b.example.com.", "z.example.com."]
        self.assertEqual([found["Name"] for found in self.records()[2:]], expected)

    def test_the_published_waiter_sees_the_change_in_sync(self):
        change = self.change(("UPSERT", record("db.example.com")))
        self.assertEqual(change["Status"], "PENDING")
        started = time.monotonic()
        waiter = self.client.get_waiter("resource_record_sets_changed")
        waiter.wait(Id=change["Id"], WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})
        self.assertGreater(time.monotonic() - started, 0.1)
        self.assertEqual(self.client.get_change(Id=change["Id"])["ChangeInfo"]["Status"], "INSYNC")

    def test_a_batch_is_carried_out_whole_or_not_at_all(self):
        self.change(("CREATE", record("db.example.com")))
        message = self.refusal(
            ("UPSERT", record("db.example.com", value="y.example.org.")), ("DELETE", record("gone.example.com"))
        )
        self.assertEqual(
            message,
            "[Tried to delete resource record set [name='gone.example.com.', type='CNAME'] but it was not found]",
        )
        self.assertEqual(self.records()[2]["ResourceRecords"], [{"Value": "x.example.org."}])

    def test_refusals_are_worded_as_aws_words_them(self):
        self.change(("CREATE", record("x.example.com")), ("CREATE", record("y.example.com", "A", "10.0.0.1")))
        cases = [
            (
                ("CREATE", record("x.example.com")),
                "[Tried to create resource record set [name='x.example.com.', type='CNAME'] but it already exists]",
            ),
            (
                ("CREATE", record("y.example.com")),
                "[RRSet of type CNAME with DNS name y.example.com. is not permitted as it conflicts with other records "
                "with the same DNS name in zone example.com.]",
            ),
            (
                ("CREATE", record("x.example.com", "A", "10.0.0.1")),
                "[RRSet of type A with DNS name x.example.com. is not permitted because a conflicting RRSet of type "
                "CNAME with the same DNS name already exists in zone example.com.]",
            ),
            (
                ("DELETE", record("x.example.com", ttl=61)),
                "[Tried to delete resource record set [name='x.example.com.', type='CNAME'] but the values provided do "
                "not match the current values]",
            ),
            (
                ("CREATE", record("example.com")),
                "[RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com.]",
            ),
            (
                ("CREATE", record("example.org")),
                "[RRSet with DNS name example.org. is not permitted in zone example.com.]",
            ),
            (
                ("UPSERT", record("x.example.com", SetIdentifier="s", Weight=1)),
                "[RRSet with DNS name x.example.com., type CNAME, SetIdentifier s cannot be created as a non-weighted "
                "set exists with the same name and type.]",
            ),
        ]
        for change, expected in cases:
            with self.subTest(expected=expected):
                self.assertEqual(self.refusal(change), expected)

    def test_the_members_of_a_weighted_group_share_their_ttl(self):
        one, two = (record("w.example.com", SetIdentifier=name, Weight=1) for name in ("one", "two"))
        self.change(("CREATE", one), ("CREATE", two))
        self.assertIn("weighted sets must contain the same TTL", self.refusal(("UPSERT", {**one, "TTL": 1})))
        self.change(("UPSERT", {**one, "TTL": 1}), ("UPSERT", {**two, "TTL": 1}))
        self.assertEqual([found["TTL"] for found in self.records()[2:]], [1, 1])

    def test_what_is_not_there_has_its_error(self):
        cases = [
            (lambda: self.client.get_change(Id="C0"), "NoSuchChange", 404),
            (lambda: self.client.list_resource_record_sets(HostedZoneId="Z0"), "NoSuchHostedZone", 404),
            (
                lambda: self.client.create_hosted_zone(
                    Name="x.org", CallerReference=self.zone["HostedZone"]["CallerReference"]
                ),
                "HostedZoneAlreadyExists",
                409,
            ),
        ]
        for call, code, status in cases:
            with self.subTest(code=code), self.assertRaises(botocore.exceptions.ClientError) as raised:
                call()
            self.assertEqual(raised.exception.response["Error"]["Code"], code)
            self.assertEqual(raised.exception.response["ResponseMetadata"]["HTTPStatusCode"], status)
