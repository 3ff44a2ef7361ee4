"""RDS: an instance's life by the published waiters, parameter groups' rules, refusals. Needs PostgreSQL 15 and 16."""

import time
import unittest
import uuid

import botocore.exceptions

from . import subject

CLIENT = subject.client("rds")
QUICK = {"Delay": 0.2, "MaxAttempts": 600}


def name(kind):
    return f"conformance-{kind}-{uuid.uuid4().hex[:8]}"


def wait(waiter, **sent):
    """A published waiter, as data, with shorter pauses."""
    CLIENT.get_waiter(waiter).wait(**sent, WaiterConfig=QUICK)


def instance(identifier):
    return CLIENT.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]


def until(look, seconds=180):
    """Look until there is an answer that is true."""
    deadline, found = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s; last seen: {found!r}")


def wait_until_steady(identifier):
    """As on AWS the waiter is not enough: a restored instance is seen as available once before it is done."""
    wait("db_instance_available", DBInstanceIdentifier=identifier)
    reads = []

    def steady():
        reads.append(instance(identifier)["DBInstanceStatus"])
        return reads[-10:] == ["available"] * 10

    until(steady)


class Case(unittest.TestCase):
    maxDiff = None

    def refused(self, code, status, call, **sent):
        with self.assertRaises(botocore.exceptions.ClientError) as raised:
            call(**sent)
        error = raised.exception.response
        self.assertEqual((error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]), (code, status))
        return error["Error"]["Message"]


class Catalog(Case):
    def test_versions_name_their_family_and_where_they_lead(self):
        versions = CLIENT.describe_db_engine_versions(Engine="postgres")["DBEngineVersions"]
        self.assertIn("postgres15", {version["DBParameterGroupFamily"] for version in versions})
        by_text = {version["EngineVersion"]: version for version in versions}
        for version in versions:
            for target in version["ValidUpgradeTarget"]:
                self.assertIn(target["EngineVersion"], by_text)
                major = by_text[target["EngineVersion"]]["MajorEngineVersion"] != version["MajorEngineVersion"]
                self.assertEqual(target["IsMajorVersionUpgrade"], major)

    def test_only_the_default_version_is_shown_when_asked_for(self):
        versions = CLIENT.describe_db_engine_versions(Engine="postgres", DefaultOnly=True)["DBEngineVersions"]
        self.assertEqual(len(versions), 1)

    def test_classes_can_be_ordered(self):
        options = CLIENT.describe_orderable_db_instance_options(Engine="postgres")["OrderableDBInstanceOptions"]
        self.assertIn("db.t3.medium", {option["DBInstanceClass"] for option in options})

    def test_defaults_of_a_family_are_listed(self):
        pages = CLIENT.get_paginator("describe_engine_default_parameters").paginate(
            DBParameterGroupFamily="postgres15", PaginationConfig={"PageSize": 100}
        )
        found = [parameter for page in pages for parameter in page["EngineDefaults"]["Parameters"]]
        by_name = {parameter["ParameterName"]: parameter for parameter in found}
        self.assertEqual(len(by_name), len(found))
        self.assertEqual(by_name["rds.logical_replication"]["ApplyType"], "static")
        self.assertEqual(by_name["wal_sender_timeout"]["ApplyType"], "dynamic")


class ParameterGroups(Case):
    def setUp(self):
        self.group = name("group")
        CLIENT.create_db_parameter_group(
            DBParameterGroupName=self.group, DBParameterGroupFamily="postgres15", Description="conformance"
        )
        self.addCleanup(self.delete, self.group)

    def delete(self, group):
        try:
            CLIENT.delete_db_parameter_group(DBParameterGroupName=group)
        except CLIENT.exceptions.DBParameterGroupNotFoundFault:
            pass

    def modify(self, *parameters, group=None):
        return CLIENT.modify_db_parameter_group(
            DBParameterGroupName=group or self.group,
            Parameters=[
                {"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}
                for name, value, method in parameters
            ],
        )

    def own_values(self, group):
        pages = CLIENT.get_paginator("describe_db_parameters").paginate(DBParameterGroupName=group, Source="user")
        found = [parameter for page in pages for parameter in page["Parameters"]]
        return {parameter["ParameterName"]: parameter["ParameterValue"] for parameter in found}

    def test_own_values_are_set_copied_and_reset(self):
        self.modify(("rds.logical_replication", "1", "pending-reboot"), ("wal_sender_timeout", "0", "immediate"))
        expected = {"rds.logical_replication": "1", "wal_sender_timeout": "0"}
        self.assertEqual(self.own_values(self.group), expected)
        copy = name("copy")
        CLIENT.copy_db_parameter_group(
            SourceDBParameterGroupIdentifier=self.group,
            TargetDBParameterGroupIdentifier=copy,
            TargetDBParameterGroupDescription="copy",
        )
        self.addCleanup(self.delete, copy)
        self.assertEqual(self.own_values(copy), expected)
        CLIENT.reset_db_parameter_group(
            DBParameterGroupName=copy,
            Parameters=[{"ParameterName": "wal_sender_timeout", "ApplyMethod": "immediate"}],
        )
        self.assertEqual(self.own_values(copy), {"rds.logical_replication": "1"})
        CLIENT.reset_db_parameter_group(DBParameterGroupName=copy, ResetAllParameters=True)
        self.assertEqual(self.own_values(copy), {})

    def test_what_a_group_does_not_take_is_refused(self):
        self.refused(
            "InvalidParameterCombination", 400, self.modify_one, value=("rds.logical_replication", "1", "immediate")
        )
        self.refused("InvalidParameterValue", 400, self.modify_one, value=("no_such_parameter", "1", "immediate"))
        twenty_one = [(f"parameter_{n}", "1", "immediate") for n in range(21)]
        with self.assertRaises(botocore.exceptions.ClientError):
            self.modify(*twenty_one)
        self.refused(
            "DBParameterGroupAlreadyExists",
            400,
            CLIENT.create_db_parameter_group,
            DBParameterGroupName=self.group,
            DBParameterGroupFamily="postgres15",
            Description="again",
        )
        for call, more in (
            (CLIENT.modify_db_parameter_group, {"Parameters": [{"ParameterName": "jit", "ParameterValue": "0"}]}),
            (CLIENT.describe_db_parameters, {}),
            (CLIENT.delete_db_parameter_group, {}),
            (CLIENT.describe_db_parameter_groups, {}),
        ):
            self.refused("DBParameterGroupNotFound", 404, call, DBParameterGroupName="no-such-group", **more)

    def modify_one(self, value):
        return self.modify(value)

    def test_a_default_group_is_nobodys(self):
        with self.assertRaises(botocore.exceptions.ClientError):
            self.modify(("jit", "0", "immediate"), group="default.postgres15")
        with self.assertRaises(botocore.exceptions.ClientError):
            CLIENT.delete_db_parameter_group(DBParameterGroupName="default.postgres15")


class Instances(Case):
    @classmethod
    def setUpClass(cls):
        cls.source, cls.group = name("source"), name("group")
        CLIENT.create_db_parameter_group(
            DBParameterGroupName=cls.group, DBParameterGroupFamily="postgres15", Description="conformance"
        )
        made = CLIENT.create_db_instance(
            DBInstanceIdentifier=cls.source,
            DBInstanceClass="db.t3.medium",
            Engine="postgres",
            EngineVersion="15",
            DBName="app",
            AllocatedStorage=20,
            MasterUsername="master",
            MasterUserPassword="conformance-1",
            BackupRetentionPeriod=0,
            Tags=[{"Key": "made-by", "Value": "conformance"}],
        )["DBInstance"]
        assert made["DBInstanceStatus"] == "creating", made["DBInstanceStatus"]
        wait_until_steady(cls.source)

    @classmethod
    def tearDownClass(cls):
        CLIENT.delete_db_instance(DBInstanceIdentifier=cls.source, SkipFinalSnapshot=True)
        wait("db_instance_deleted", DBInstanceIdentifier=cls.source)
        CLIENT.delete_db_parameter_group(DBParameterGroupName=cls.group)

    def test_an_instance_describes_itself(self):
        found = instance(self.source)
        self.assertEqual((found["Engine"], found["MasterUsername"], found["DBName"]), ("postgres", "master", "app"))
        self.assertRegex(found["EngineVersion"], r"^15\.")
        self.assertRegex(found["Endpoint"]["Address"], rf"^{self.source}\..*\.eu-west-1\.rds\.amazonaws\.com$")
        self.assertEqual(found["DBParameterGroups"][0]["ParameterApplyStatus"], "in-sync")
        self.assertNotIn("MasterUserPassword", found)
        tags = CLIENT.list_tags_for_resource(ResourceName=found["DBInstanceArn"])["TagList"]
        self.assertIn({"Key": "made-by", "Value": "conformance"}, tags)

    def test_tags_come_and_go(self):
        arn = instance(self.source)["DBInstanceArn"]
        CLIENT.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "pgleap:run", "Value": "r1"}])
        self.assertIn("pgleap:run", [tag["Key"] for tag in instance(self.source)["TagList"]])
        CLIENT.remove_tags_from_resource(ResourceName=arn, TagKeys=["pgleap:run"])
        tags = CLIENT.list_tags_for_resource(ResourceName=arn)["TagList"]
        self.assertNotIn("pgleap:run", [tag["Key"] for tag in tags])

    def test_an_attached_group_waits_for_the_reboot(self):
        CLIENT.modify_db_parameter_group(
            DBParameterGroupName=self.group,
            Parameters=[
                {"ParameterName": "rds.logical_replication", "ParameterValue": "1", "ApplyMethod": "pending-reboot"}
            ],
        )
        CLIENT.modify_db_instance(DBInstanceIdentifier=self.source, DBParameterGroupName=self.group)

        def status():
            group = instance(self.source)["DBParameterGroups"][0]
            return group["DBParameterGroupName"], group["ParameterApplyStatus"]

        until(lambda: status() == (self.group, "pending-reboot"))
        self.refused(
            "InvalidDBParameterGroupState", 400, CLIENT.delete_db_parameter_group, DBParameterGroupName=self.group
        )
        wait_until_steady(self.source)
        CLIENT.reboot_db_instance(DBInstanceIdentifier=self.source)
        until(lambda: status() == (self.group, "in-sync") and instance(self.source)["DBInstanceStatus"] == "available")

    def test_a_snapshot_is_restored_upgraded_and_removed(self):
        snapshot, copy = name("snapshot"), name("copy")
        made = CLIENT.create_db_snapshot(DBSnapshotIdentifier=snapshot, DBInstanceIdentifier=self.source)
        self.assertEqual(made["DBSnapshot"]["Status"], "creating")
        wait("db_snapshot_available", DBSnapshotIdentifier=snapshot)
        wait("db_snapshot_completed", DBSnapshotIdentifier=snapshot)
        wait_until_steady(self.source)
        self.refused(
            "DBSnapshotAlreadyExists",
            400,
            CLIENT.create_db_snapshot,
            DBSnapshotIdentifier=snapshot,
            DBInstanceIdentifier=self.source,
        )
        CLIENT.restore_db_instance_from_db_snapshot(DBInstanceIdentifier=copy, DBSnapshotIdentifier=snapshot)
        wait_until_steady(copy)
        before = instance(copy)
        self.assertEqual(before["EngineVersion"], instance(self.source)["EngineVersion"])
        targets = CLIENT.describe_db_engine_versions(Engine="postgres", EngineVersion=before["EngineVersion"])
        targets = [target["EngineVersion"] for target in targets["DBEngineVersions"][0]["ValidUpgradeTarget"]]
        target = next(target for target in targets if target.startswith("16."))
        self.refused(
            "InvalidParameterCombination",
            400,
            CLIENT.modify_db_instance,
            DBInstanceIdentifier=copy,
            EngineVersion=target,
            ApplyImmediately=True,
        )
        CLIENT.modify_db_instance(
            DBInstanceIdentifier=copy, EngineVersion=target, AllowMajorVersionUpgrade=True, ApplyImmediately=True
        )
        until(lambda: instance(copy)["EngineVersion"] == target, seconds=180)
        wait_until_steady(copy)
        logs = CLIENT.describe_db_log_files(DBInstanceIdentifier=copy)["DescribeDBLogFiles"]
        self.assertTrue(logs)
        portion = CLIENT.download_db_log_file_portion(
            DBInstanceIdentifier=copy, LogFileName=logs[0]["LogFileName"], Marker="0"
        )
        self.assertIn("LogFileData", portion)
        CLIENT.delete_db_instance(DBInstanceIdentifier=copy, SkipFinalSnapshot=True)
        wait("db_instance_deleted", DBInstanceIdentifier=copy)
        CLIENT.delete_db_snapshot(DBSnapshotIdentifier=snapshot)
        wait("db_snapshot_deleted", DBSnapshotIdentifier=snapshot)
        events = CLIENT.describe_events(SourceType="db-instance", SourceIdentifier=copy, Duration=60)["Events"]
        self.assertTrue(events)

    def test_refusals_have_their_codes(self):
        cases = [
            ("DBInstanceNotFound", 404, CLIENT.describe_db_instances, {"DBInstanceIdentifier": "none"}),
            ("DBInstanceNotFound", 404, CLIENT.modify_db_instance, {"DBInstanceIdentifier": "none"}),
            ("DBInstanceNotFound", 404, CLIENT.reboot_db_instance, {"DBInstanceIdentifier": "none"}),
            (
                "DBInstanceNotFound",
                404,
                CLIENT.delete_db_instance,
                {"DBInstanceIdentifier": "none", "SkipFinalSnapshot": True},
            ),
            (
                "DBInstanceNotFound",
                404,
                CLIENT.create_db_snapshot,
                {"DBInstanceIdentifier": "none", "DBSnapshotIdentifier": "s"},
            ),
            ("DBSnapshotNotFound", 404, CLIENT.describe_db_snapshots, {"DBSnapshotIdentifier": "none"}),
            ("DBSnapshotNotFound", 404, CLIENT.delete_db_snapshot, {"DBSnapshotIdentifier": "none"}),
            (
                "DBSnapshotNotFound",
                404,
                CLIENT.restore_db_instance_from_db_snapshot,
                {"DBInstanceIdentifier": name("x"), "DBSnapshotIdentifier": "none"},
            ),
            (
                "DBInstanceAlreadyExists",
                400,
                CLIENT.create_db_instance,
                {
                    "DBInstanceIdentifier": self.source,
                    "DBInstanceClass": "db.t3.medium",
                    "Engine": "postgres",
                    "AllocatedStorage": 20,
                    "MasterUsername": "master",
                    "MasterUserPassword": "conformance-1",
                },
            ),
            (
                "DBParameterGroupNotFound",
                404,
                CLIENT.modify_db_instance,
                {"DBInstanceIdentifier": self.source, "DBParameterGroupName": "none"},
            ),
            ("DBProxyNotFoundFault", 404, CLIENT.describe_db_proxies, {"DBProxyName": "none"}),
            ("DBProxyNotFoundFault", 404, CLIENT.describe_db_proxy_targets, {"DBProxyName": "none"}),
            (
                "DBLogFileNotFoundFault",
                404,
                CLIENT.download_db_log_file_portion,
                {"DBInstanceIdentifier": self.source, "LogFileName": "error/none"},
            ),
        ]
        for code, status, call, sent in cases:
            with self.subTest(code=code, sent=sent):
                self.refused(code, status, call, **sent)
