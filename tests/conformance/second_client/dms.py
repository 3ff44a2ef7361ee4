"""DMS: instance, endpoints, connections and a task by the published waiters; refusals."""

import json
import os
import time
import unittest
import uuid

import botocore.exceptions

from . import subject

CLIENT = subject.client("dms")
RDS = subject.client("rds")
SECRETS = subject.client("secretsmanager")
QUICK = {"Delay": 0.2, "MaxAttempts": 600}
MAPPINGS = {
    "rules": [
        {
            "rule-type": "selection",
            "rule-id": "1",
            "rule-name": "1",
            "object-locator": {"schema-name": "public", "table-name": "%"},
            "rule-action": "include",
        }
    ]
}
SETTINGS = {"FullLoadSettings": {"TargetTablePrepMode": "DO_NOTHING"}, "Logging": {"EnableLogging": True}}


def name(kind):
    return f"conformance-{kind}-{uuid.uuid4().hex[:8]}"


def wait(waiter, arn_filter, arn, **more):
    """A published waiter, as data, with shorter pauses."""
    filters = [{"Name": arn_filter, "Values": [arn]}]
    CLIENT.get_waiter(waiter).wait(Filters=filters, **more, WaiterConfig=QUICK)


class Case(unittest.TestCase):
    maxDiff = None

    def refused(self, code, call, **sent):
        with self.assertRaises(botocore.exceptions.ClientError) as raised:
            call(**sent)
        error = raised.exception.response
        self.assertEqual((error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]), (code, 400))
        return error["Error"]["Message"]


class Catalog(Case):
    def test_classes_and_versions_can_be_ordered(self):
        pages = CLIENT.get_paginator("describe_orderable_replication_instances").paginate()
        found = [option for page in pages for option in page["OrderableReplicationInstances"]]
        self.assertIn("dms.t3.medium", {option["ReplicationInstanceClass"] for option in found})
        self.assertTrue(all(option["EngineVersion"] for option in found))

    def test_quotas_are_told(self):
        quotas = CLIENT.describe_account_attributes()["AccountQuotas"]
        self.assertTrue(all(quota["Max"] >= quota["Used"] for quota in quotas))

    def test_a_filter_that_matches_nothing_is_an_error(self):
        cases = [
            (CLIENT.describe_replication_instances, "replication-instance-id"),
            (CLIENT.describe_endpoints, "endpoint-id"),
            (CLIENT.describe_replication_tasks, "replication-task-id"),
            (CLIENT.describe_replication_subnet_groups, "replication-subnet-group-id"),
        ]
        for call, member in cases:
            with self.subTest(member=member):
                self.refused("ResourceNotFoundFault", call, Filters=[{"Name": member, "Values": ["none"]}])

    def test_what_is_not_there_is_refused(self):
        arn = "arn:aws:dms:eu-west-1:111122223333:task:NONE"
        cases = [
            (CLIENT.start_replication_task, {"ReplicationTaskArn": arn, "StartReplicationTaskType": "start-replication"}),
            (CLIENT.stop_replication_task, {"ReplicationTaskArn": arn}),
            (CLIENT.delete_replication_task, {"ReplicationTaskArn": arn}),
            (CLIENT.describe_table_statistics, {"ReplicationTaskArn": arn}),
            (CLIENT.delete_endpoint, {"EndpointArn": arn}),
            (CLIENT.delete_replication_instance, {"ReplicationInstanceArn": arn}),
            (CLIENT.reboot_replication_instance, {"ReplicationInstanceArn": arn}),
            (CLIENT.modify_replication_instance, {"ReplicationInstanceArn": arn}),
            (CLIENT.delete_replication_subnet_group, {"ReplicationSubnetGroupIdentifier": "none"}),
        ]
        for call, sent in cases:
            with self.subTest(call=call.__name__):
                self.refused("ResourceNotFoundFault", call, **sent)


class Replication(Case):
    """One test: the life of a replication, each step on what the step before made."""

    def database(self, variable):
        """An instance that is there already, with table `public.note` of a thousand rows on the source."""
        found = RDS.describe_db_instances(DBInstanceIdentifier=os.environ[variable])
        return found["DBInstances"][0]

    def endpoint(self, kind, database):
        secret = json.dumps(
            {
                "host": database["Endpoint"]["Address"],
                "port": database["Endpoint"]["Port"],
                "username": "master",
                "password": "conformance-1",
            }
        )
        secret = SECRETS.create_secret(Name=name("secret"), SecretString=secret)["ARN"]
        made = CLIENT.create_endpoint(
            EndpointIdentifier=name(kind),
            EndpointType=kind,
            EngineName="postgres",
            SslMode="require",
            DatabaseName="app",
            PostgreSQLSettings={
                "SecretsManagerAccessRoleArn": "arn:aws:iam::111122223333:role/dms-secrets",
                "SecretsManagerSecretId": secret,
                "DatabaseName": "app",
                "PluginName": "test-decoding",
                "CaptureDdls": False,
            },
            Tags=[{"Key": "pgleap:run", "Value": "r1"}],
        )["Endpoint"]
        self.assertEqual(made["EndpointType"], kind.upper())
        self.assertNotIn("Password", made.get("PostgreSQLSettings", {}))
        return made["EndpointArn"]

    def test_a_replication_from_its_subnet_group_to_its_end(self):
        source, target = self.database("SUBJECT_SOURCE"), self.database("SUBJECT_TARGET")
        subnets = name("subnets")
        CLIENT.create_replication_subnet_group(
            ReplicationSubnetGroupIdentifier=subnets,
            ReplicationSubnetGroupDescription="conformance",
            SubnetIds=["subnet-0a", "subnet-0b"],
        )
        machine = CLIENT.create_replication_instance(
            ReplicationInstanceIdentifier=name("instance"),
            ReplicationInstanceClass="dms.t3.medium",
            ReplicationSubnetGroupIdentifier=subnets,
            AutoMinorVersionUpgrade=False,
            PubliclyAccessible=False,
        )["ReplicationInstance"]
        self.assertEqual(machine["ReplicationInstanceStatus"], "creating")
        machine = machine["ReplicationInstanceArn"]
        wait("replication_instance_available", "replication-instance-arn", machine)
        endpoints = [self.endpoint("source", source), self.endpoint("target", target)]
        task = self.task(machine, endpoints)
        self.refused("InvalidResourceStateFault", self.start, task=task)  # no connection is tested
        self.connect(machine, endpoints)
        self.life_of_a_task(task)
        for endpoint in endpoints:
            CLIENT.delete_connection(EndpointArn=endpoint, ReplicationInstanceArn=machine)
            CLIENT.delete_endpoint(EndpointArn=endpoint)
            wait("endpoint_deleted", "endpoint-arn", endpoint)
        self.refused(
            "InvalidResourceStateFault",
            CLIENT.delete_replication_subnet_group,
            ReplicationSubnetGroupIdentifier=subnets,
        )
        CLIENT.delete_replication_instance(ReplicationInstanceArn=machine)
        wait("replication_instance_deleted", "replication-instance-arn", machine)
        CLIENT.delete_replication_subnet_group(ReplicationSubnetGroupIdentifier=subnets)

    def task(self, machine, endpoints):
        made = CLIENT.create_replication_task(
            ReplicationTaskIdentifier=name("task"),
            SourceEndpointArn=endpoints[0],
            TargetEndpointArn=endpoints[1],
            ReplicationInstanceArn=machine,
            MigrationType="full-load-and-cdc",
            TableMappings=json.dumps(MAPPINGS),
            ReplicationTaskSettings=json.dumps(SETTINGS),
        )["ReplicationTask"]
        self.assertEqual(made["Status"], "creating")
        wait("replication_task_ready", "replication-task-arn", made["ReplicationTaskArn"])
        return made["ReplicationTaskArn"]

    def start(self, task, kind="start-replication"):
        return CLIENT.start_replication_task(ReplicationTaskArn=task, StartReplicationTaskType=kind)

    def connect(self, machine, endpoints):
        for endpoint in endpoints:
            tested = CLIENT.test_connection(ReplicationInstanceArn=machine, EndpointArn=endpoint)["Connection"]
            self.assertEqual(tested["Status"], "testing")
            wait("test_connection_succeeds", "endpoint-arn", endpoint)

    def until_loaded(self, task):
        deadline, found = time.monotonic() + 180, None
        while time.monotonic() < deadline:
            found = CLIENT.describe_table_statistics(ReplicationTaskArn=task)["TableStatistics"]
            if [table["TableState"] for table in found] == ["Table completed"]:
                self.assertEqual((found[0]["TableName"], found[0]["FullLoadRows"]), ("note", 1000))
                return
            time.sleep(0.1)
        self.fail(f"not loaded within 180 s; last seen: {found}")

    def life_of_a_task(self, task):
        self.start(task)
        wait("replication_task_running", "replication-task-arn", task)
        for call, sent in (
            (CLIENT.modify_replication_task, {"TableMappings": json.dumps(MAPPINGS)}),
            (CLIENT.delete_replication_task, {}),
            (CLIENT.start_replication_task, {"StartReplicationTaskType": "start-replication"}),
        ):
            self.refused("InvalidResourceStateFault", call, ReplicationTaskArn=task, **sent)
        self.until_loaded(task)
        CLIENT.stop_replication_task(ReplicationTaskArn=task)
        wait("replication_task_stopped", "replication-task-arn", task)
        self.refused("InvalidResourceStateFault", CLIENT.stop_replication_task, ReplicationTaskArn=task)
        found = CLIENT.describe_replication_tasks(Filters=[{"Name": "replication-task-arn", "Values": [task]}])
        self.assertEqual(found["ReplicationTasks"][0]["StopReason"], "Stop Reason NORMAL")
        self.start(task, "resume-processing")
        wait("replication_task_running", "replication-task-arn", task)
        CLIENT.stop_replication_task(ReplicationTaskArn=task)
        wait("replication_task_stopped", "replication-task-arn", task)
        CLIENT.delete_replication_task(ReplicationTaskArn=task)
        wait("replication_task_deleted", "replication-task-arn", task)
