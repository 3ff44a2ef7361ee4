"""Tests of the example, against an SSM in memory: python3 -m unittest discover examples/hooks"""

import os
import unittest
from datetime import datetime, timedelta, timezone

import ssm_parameter

SOURCE, TARGET = "orders.c9x.rds.amazonaws.com", "orders-v18.c9x.rds.amazonaws.com"


class Ssm:
    """The two calls that the hook makes."""

    class exceptions:
        class ParameterNotFound(Exception):
            pass

    def __init__(self, host):
        self.values, self.writes = {"/orders/host": host}, []

    def get_parameter(self, Name):
        if Name not in self.values:
            raise self.exceptions.ParameterNotFound(Name)
        return {"Parameter": {"Value": self.values[Name]}}

    def put_parameter(self, Name, Value, Type, Overwrite):
        self.values[Name] = Value
        self.writes.append(Name)


def event(direction, generation=1, seconds=60, **more):
    hosts = (SOURCE, TARGET) if direction == "forward" else (TARGET, SOURCE)
    deadline = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    return {
        "pgleap": 1,
        "runId": "orders-2027",
        "direction": direction,
        "generation": generation,
        "from": hosts[0],
        "to": hosts[1],
        "deadline": deadline.isoformat().replace("+00:00", "Z"),
    } | more


class TestHook(unittest.TestCase):
    def setUp(self):
        os.environ.update(PARAMETER="/orders/host", MEMORY="/orders/host-seen")
        self.ssm = Ssm(SOURCE)

    def call(self, *args, **kwargs):
        return ssm_parameter.handler(event(*args, **kwargs), None, self.ssm)

    def host(self):
        return self.ssm.values["/orders/host"]

    def refuses(self, *args, **kwargs):
        before = self.host()
        with self.assertRaises(ssm_parameter.Refused):
            self.call(*args, **kwargs)
        self.assertEqual(self.host(), before)

    def test_clients_are_moved_and_moved_back_and_each_twice_changes_nothing_more(self):
        self.assertEqual([self.call("forward"), self.call("forward")], [{"changed": True}, {"changed": False}])
        self.assertEqual(self.host(), TARGET)
        self.assertEqual([self.call("back"), self.call("back")], [{"changed": True}, {"changed": False}])
        self.assertEqual(self.host(), SOURCE)
        self.assertEqual(self.ssm.writes.count("/orders/host"), 2)

    def test_a_switch_that_arrives_after_the_rollback_is_refused(self):
        self.call("back")  # the switch was never seen
        self.refuses("forward")

    def test_an_older_generation_a_late_call_and_an_unknown_version_are_refused(self):
        self.call("forward", generation=2)
        self.refuses("back", generation=1)
        self.refuses("back", generation=2, seconds=-1)
        self.refuses("back", generation=2, pgleap=2)

    def test_the_next_run_begins_anew(self):
        self.call("back")
        self.call("forward", runId="orders-2028")
        self.assertEqual(self.host(), TARGET)

    def test_a_host_of_somebody_else_is_left(self):
        self.ssm.values["/orders/host"] = "elsewhere"
        self.refuses("forward")

    def test_a_rollback_without_a_target_moves_clients_back(self):
        self.call("forward")
        self.call("back", **{"from": None})
        self.assertEqual(self.host(), SOURCE)


if __name__ == "__main__":
    unittest.main()
