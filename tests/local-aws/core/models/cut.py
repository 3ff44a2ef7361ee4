#!/usr/bin/env python3
"""Cut the published service models down to the operations that the local AWS serves.

Usage: cut.py            writes <service>.json beside this file, from the botocore package on the import path
       cut.py --check    writes nothing; fails if a file here differs from what would be written

Of each service it keeps the operations listed below, every shape that their inputs, outputs and errors reach, and
the paginators and waiters of those operations; of all others the name, so that "not served here" and "no such
operation" stay apart. Documentation and endpoint rules are left out. Making it again from
the pinned version changes nothing (README.md beside this file has the version and the licence).
"""

import json
import pathlib
import sys

import botocore
import botocore.loaders

PINNED = "1.44.5"
HERE = pathlib.Path(__file__).parent

OPERATIONS = {
    "rds": """
        AddTagsToResource RemoveTagsFromResource ListTagsForResource
        CreateDBInstance DescribeDBInstances ModifyDBInstance RebootDBInstance DeleteDBInstance
        RestoreDBInstanceFromDBSnapshot CreateDBSnapshot DescribeDBSnapshots DeleteDBSnapshot
        CreateDBParameterGroup CopyDBParameterGroup ModifyDBParameterGroup ResetDBParameterGroup
        DescribeDBParameterGroups DescribeDBParameters DeleteDBParameterGroup
        DescribeDBEngineVersions DescribeOrderableDBInstanceOptions DescribeEngineDefaultParameters
        DescribeEvents DescribeDBLogFiles DownloadDBLogFilePortion DescribePendingMaintenanceActions
        AddRoleToDBInstance DescribeAccountAttributes DescribeDBProxies DescribeDBProxyTargets
    """,
    "dms": """
        CreateReplicationSubnetGroup DescribeReplicationSubnetGroups DeleteReplicationSubnetGroup
        CreateReplicationInstance DescribeReplicationInstances ModifyReplicationInstance
        RebootReplicationInstance DeleteReplicationInstance
        CreateEndpoint ModifyEndpoint DescribeEndpoints DeleteEndpoint
        TestConnection DescribeConnections DeleteConnection
        CreateReplicationTask ModifyReplicationTask StartReplicationTask StopReplicationTask
        DescribeReplicationTasks DeleteReplicationTask DescribeTableStatistics ReloadTables
        DescribeEngineVersions DescribeOrderableReplicationInstances DescribeAccountAttributes DescribeEvents
        AddTagsToResource RemoveTagsFromResource ListTagsForResource
    """,
    "route53": """
        ChangeResourceRecordSets ListResourceRecordSets GetChange
        GetHostedZone ListHostedZonesByName CreateHostedZone DeleteHostedZone
    """,
    "secretsmanager": """
        CreateSecret GetSecretValue DescribeSecret PutSecretValue UpdateSecret DeleteSecret
        UpdateSecretVersionStage         TagResource ListSecrets GetRandomPassword
    """,
    "scheduler": "CreateSchedule GetSchedule UpdateSchedule DeleteSchedule ListSchedules",
    "ec2": "AuthorizeSecurityGroupIngress RevokeSecurityGroupIngress DescribeSecurityGroupRules",
    "sns": "Publish",
    "sts": "AssumeRole",
    "events": "PutRule PutTargets RemoveTargets DeleteRule DescribeRule ListTargetsByRule PutEvents",
}


def without_documentation(node):
    """The same tree without its prose, which is nine tenths of a model."""
    if isinstance(node, dict):
        return {
            key: without_documentation(value)
            for key, value in node.items()
            if not (key in ("documentation", "documentationUrl") and isinstance(value, str))
        }
    if isinstance(node, list):
        return [without_documentation(item) for item in node]
    return node


def references(node):
    """Names of the shapes that a shape or operation names."""
    if isinstance(node, dict):
        if isinstance(node.get("shape"), str):
            yield node["shape"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def reachable(shapes, names):
    """The named shapes and all that they reach, by name."""
    seen, queue = set(), list(names)
    while queue:
        name = queue.pop()
        if name not in seen:
            seen.add(name)
            queue.extend(references(shapes[name]))
    return {name: shapes[name] for name in sorted(seen)}


def optional(loader, service, kind, key):
    """A companion file of a model, or nothing where the service publishes none."""
    try:
        return loader.load_service_model(service, kind)[key]
    except botocore.loaders.DataNotFoundError:
        return {}


def cut(loader, service, wanted):
    """One service's model, cut."""
    model = without_documentation(loader.load_service_model(service, "service-2"))
    operations = {name: model["operations"][name] for name in sorted(wanted)}
    paginators = optional(loader, service, "paginators-1", "pagination")
    waiters = optional(loader, service, "waiters-2", "waiters")
    return {
        "provenance": f"botocore {botocore.__version__}, service {service}; cut by cut.py, do not edit",
        "metadata": model["metadata"],
        "operations": operations,
        "notServed": {
            name: f"{operation['http']['method']} {operation['http']['requestUri']}"
            for name, operation in sorted(model["operations"].items())
            if name not in wanted
        },
        "shapes": reachable(model["shapes"], references(operations)),
        "pagination": {name: rule for name, rule in sorted(paginators.items()) if name in wanted},
        "waiters": {
            name: without_documentation(waiter)
            for name, waiter in sorted(waiters.items())
            if waiter["operation"] in wanted
        },
    }


def main():
    """Write every model, or compare."""
    if botocore.__version__ != PINNED:
        sys.exit(f"cut.py: botocore {PINNED} is pinned, {botocore.__version__} is installed")
    check, stale = "--check" in sys.argv[1:], []
    loader = botocore.loaders.Loader()
    for service, names in OPERATIONS.items():
        path = HERE / f"{service}.json"
        text = json.dumps(cut(loader, service, set(names.split())), indent=1) + "\n"
        if check and (not path.exists() or path.read_text() != text):
            stale.append(path.name)
        if not check:
            path.write_text(text)
    if stale:
        sys.exit(f"cut.py: differs from botocore {PINNED}: {', '.join(stale)}; run cut.py")


if __name__ == "__main__":
    main()
