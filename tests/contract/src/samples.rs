//! For every step: does this payload parse as its input, and what may it answer?
//!
//! Several answers where a Choice of the machines tells them apart.

use anyhow::{Context, Result, bail};
use pgleap_contract::steps::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::engines;

/// An execution's input, as an operator would write it.
pub fn request() -> Value {
    json!({
        "source": {"instance": "orders-db", "database": "orders", "loginSecret": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders"},
        "target": {"version": "18"},
        "record": {"zoneId": "Z0123456789", "name": "orders-db.example.internal"}
    })
}

fn forecast() -> Value {
    let outage = json!({"milliseconds": 700.0, "atMostMilliseconds": 1_500.0});
    json!({"connected": outage, "new": outage, "steps": outage, "record": outage, "parts": []})
}

/// The recovery's input, as the schedule of the deadline gives it.
pub fn scheduled() -> Value {
    let run = run("upgrade");
    json!({
        "executionArn": run["executionArn"], "reason": "deadline", "run": run, "source": server(), "target": server(),
        "generation": 1
    })
}

/// The input of the machine that fails back, as an operator would write it.
pub fn fail_back() -> Value {
    json!({"runId": "orders-18"})
}

/// The input of the machine that checks a fail-back path, as its schedule gives it.
pub fn watch() -> Value {
    let failing_back = failing_back(&run("upgrade"));
    json!({
        "executionArn": failing_back["executionArn"],
        "failBackPath": {"run": failing_back, "source": server(), "target": server()}
    })
}

fn failing_back(run: &Value) -> Value {
    let run: pgleap_contract::Run = serde_json::from_value(run.clone()).expect("a sample");
    serde_json::to_value(run.failing_back("arn:aws:states:eu-west-1:111122223333:execution:pgleap-fail-back:b"))
        .expect("plain data")
}

/// Parse a payload as the step's input and give the answers that the step may give.
pub fn answers(step: &str, payload: &Value) -> Result<Vec<Value>> {
    match step {
        "start-run" => {
            let input: StartRunInput = serde_json::from_value(payload.clone())?;
            if let Some(request) = input.request {
                let _parses: pgleap_contract::RunRequest = serde_json::from_value(request)?;
            }
            let mut may_authorize = run("upgrade");
            may_authorize["network"]["authorizeIngress"] = json!(true);
            let mut asks = run("upgrade");
            asks["approval"] = json!({"reboot": true, "cutover": true, "onRejectedCutover": "keep-replicating"});
            let mut has_clients = run("upgrade");
            has_clients["clients"] = json!({"secrets": [{"secretId": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:app"}], "hooks": []});
            let mut windowed = run("upgrade");
            windowed["window"] = json!({"start": "02:00", "end": "05:00", "timeZone": "Europe/Berlin"});
            let mut keeps_fail_back = run("upgrade");
            keeps_fail_back["failBack"] = json!({"keepHours": 72});
            let mut runs =
                vec![run("upgrade"), keeps_fail_back, may_authorize, asks, has_clients, windowed, run("plan")];
            for engine in engines::names()? {
                let mut copies = run("upgrade");
                copies["copy"]["engine"] = json!(engine);
                runs.push(copies);
            }
            let mut left_to_the_run = run("upgrade");
            left_to_the_run["copy"]["undecided"] = json!(true);
            runs.push(left_to_the_run);
            let mut answers: Vec<_> =
                runs.into_iter().map(|run| json!({"run": run, "hasChangedSomething": true})).collect();
            answers.push(json!({"run": run("upgrade"), "hasChangedSomething": false}));
            typed::<StartRunOutput>(answers)
        }
        "check-instance" => exchange::<RunOnly, CheckInstanceOutput>(
            payload,
            vec![
                json!({"findings": findings(), "source": server(), "way": way(), "shape": shape()}),
                json!({"findings": findings(), "source": null, "way": null, "shape": null}),
            ],
        ),
        "check-database" => exchange::<OnSource, CheckDatabaseOutput>(
            payload,
            vec![json!({"findings": findings(), "size": size(), "load": load()})],
        ),
        "check-clients" => {
            exchange::<CheckClientsInput, CheckClientsOutput>(payload, vec![json!({"findings": findings()})])
        }
        "switch-clients" => exchange::<UnderFence, SwitchClientsOutput>(
            payload,
            vec![json!({"secrets": 1, "hooks": 0, "milliseconds": 90})],
        ),
        "restore-clients" => exchange::<RestoreClientsInput, RestoreClientsOutput>(
            payload,
            vec![json!({"secrets": 1, "left": 0, "hooks": 0})],
        ),
        "plan-run" => {
            let input: PlanRunInput = serde_json::from_value(payload.clone())?;
            let answer = |engine: &pgleap_contract::CopyEngine| {
                let mut run = payload["run"].clone();
                run["copy"] = serde_json::to_value(input.run.copy.clone().decided(*engine))?;
                let mut plan = plan();
                plan["engine"] = json!(engine);
                Ok(json!({"run": run, "plan": plan, "instance": findings(), "database": findings()}))
            };
            let answers: Result<Vec<Value>> = input.run.copy.candidates().iter().map(answer).collect();
            typed::<PlanRunOutput>(answers?)
        }
        "report-run" => exchange::<ReportRunInput, RunReport>(
            payload,
            vec![json!({
                "transitions": 160, "invocations": 120, "functionSeconds": 40.0, "gigabyteSeconds": 8.0,
                "targetHours": 2.0, "replicationHours": 1.5, "cost": plan()["cost"].clone(),
                "unfinished": 0, "kept": []
            })],
        ),
        "configure-source" => exchange::<RunOnly, ConfigureSourceOutput>(
            payload,
            vec![json!({"rebootNeeded": true}), json!({"rebootNeeded": false})],
        ),
        "reboot-source" | "snapshot-source" | "resume-jobs" | "resume-replication" | "remove-replication"
        | "restore-lob-mode" => exchange::<RunOnly, NoOutput>(payload, vec![json!({})]),
        "prepare-source" | "watch-wal" => exchange::<OnSource, NoOutput>(payload, vec![json!({})]),
        "restore-target" => {
            exchange::<RestoreTargetInput, RestoreTargetOutput>(payload, vec![json!({"target": server()})])
        }
        "settle-target" => exchange::<SettleTargetInput, SettleTargetOutput>(
            payload,
            vec![json!({"warnings": {"count": 0, "named": []}})],
        ),
        "protect-target" => exchange::<ProtectTargetInput, ProtectTargetOutput>(
            payload,
            vec![
                json!({"unset": [{"object": "setting of instance x: maintenance window", "reason": "no", "statements": "aws rds .."}]}),
            ],
        ),
        "upgrade-target" => exchange::<UpgradeTargetInput, NoOutput>(payload, vec![json!({})]),
        "empty-target" => exchange::<OnBoth, EmptyTargetOutput>(payload, vec![json!({"selection": selection()})]),
        "create-task" => exchange::<CreateTaskInput, NoOutput>(payload, vec![json!({})]),
        "prepare-replication" => exchange::<PrepareReplicationInput, PrepareReplicationOutput>(
            payload,
            [json!(null), json!({"groupId": "sg-1", "cidr": "10.0.0.9/32", "port": 5432})]
                .map(|rule| json!({"missingRule": rule}))
                .to_vec(),
        ),
        "copy-data" => exchange::<CopyDataInput, CopyDataOutput>(
            payload,
            [(true, false), (false, false), (false, true)]
                .map(|(done, in_error)| {
                    let tables = if in_error { json!([table()]) } else { json!([]) };
                    json!({"done": done, "waitingFor": "", "inError": in_error, "tablesInError": tables,
                        "progress": progress(), "repairs": [repair()]})
                })
                .to_vec(),
        ),
        "watch-copy" => exchange::<WatchCopyInput, WatchCopyOutput>(
            payload,
            vec![json!({"reading": {"at": 1, "percent": 1, "tablesDone": 1, "tables": 2, "rowsDone": 1, "rows": 2,
                "bytesDone": 1, "bytes": 2, "bytesPerSecond": 1, "secondsLeft": null, "lagBytes": 1, "lagSeconds": 1, "walMarks": [{"at": 1, "written": 2}], "retainedWalBytes": 1, "heldUp": ["reporting (pid 7, psql, database orders)"]},
                "said": "app.t: permission denied for table t"})],
        ),
        "measure-lobs" => exchange::<MeasureLobsInput, MeasureLobsOutput>(
            payload,
            vec![json!({"limits": [{"schema": "public", "table": "documents", "kilobytes": 300}]})],
        ),
        "reload-tables" => exchange::<ReloadTablesInput, ReloadTablesOutput>(
            payload,
            vec![json!({"reloaded": [table()], "failed": [], "repairs": [repair()]})],
        ),
        "prepare-publication" => exchange::<OnSource, NoOutput>(payload, vec![json!({})]),
        "find-start" => exchange::<OnBoth, FindStartOutput>(
            payload,
            vec![json!({"start": "16/B374D848", "witness": "rds_tools.logical_seed_lsn()", "agreed": 3})],
        ),
        "subscribe-target" => exchange::<SubscribeTargetInput, NoOutput>(payload, vec![json!({})]),
        "catch-up" => exchange::<CatchUpInput, CatchUpOutput>(
            payload,
            [true, false]
                .map(|done| {
                    json!({"done": done, "reading": {"at": 1, "lagBytes": 1, "retainedWalBytes": 1, "bytesPerSecond": 1,
                        "secondsLeft": null, "worker": 7, "workerLosses": 0}})
                })
                .to_vec(),
        ),
        "compare-tables" => exchange::<CompareTablesInput, NoOutput>(payload, vec![json!({})]),
        "verify-copy" => exchange::<VerifyCopyInput, VerifyCopyOutput>(
            payload,
            vec![json!({"tablesEqual": 1, "tablesUncompared": 1,
                "uncompared": [{"table": {"schema": "shop", "table": "clicks"}, "why": "its rows never stand still"}]})],
        ),
        "lower-ttl" => exchange::<RunOnly, LowerTtlOutput>(
            payload,
            vec![json!({"oldTtlSeconds": 300, "propagationMilliseconds": 21_000}), json!({"oldTtlSeconds": 300})],
        ),
        "tell-people" => exchange::<TellPeopleInput, TellPeopleOutput>(payload, vec![json!({"messages": 1})]),
        "find-window" => {
            exchange::<FindWindowInput, FindWindowOutput>(payload, vec![json!({"opens": "2027-02-07T02:00:00Z"})])
        }
        "ask-approval" => {
            let _parses: AskApprovalInput = serde_json::from_value(payload.clone())?;
            Ok(vec![json!({"approved": true}), json!({"approved": false})]) // what a person sends, not the function
        }
        "guard-cutover" => {
            let answer = |record: &str| {
                json!({
                    "lagMilliseconds": 120, "switch": {"record": record, "reason": "the input says so"}, "forecast": forecast()
                })
            };
            exchange::<GuardCutoverInput, GuardCutoverOutput>(payload, vec![answer("withDrain"), answer("beforeFence")])
        }
        "arm-deadline" => exchange::<ArmDeadlineInput, ArmDeadlineOutput>(
            payload,
            vec![json!({"cutover": {"generation": 1, "deadlineEpochMs": 1}, "stepSeconds": 80})],
        ),
        "shut-target" => exchange::<UnderFence, SessionsBefore>(
            payload,
            vec![json!({"sessions": 40, "atEpochMs": 1_795_939_200_000_i64})],
        ),
        "watch-clients" => exchange::<WatchClientsInput, NoOutput>(payload, vec![json!({})]),
        "fence-source" => exchange::<UnderFence, FenceSourceOutput>(
            payload,
            vec![json!({"fenceLsn": "0/1", "sessionsEnded": 3, "milliseconds": 40})],
        ),
        "swap-record" => exchange::<SwapRecordInput, RecordOutput>(payload, vec![json!({"inSync": true})]),
        "restore-record" => exchange::<RestoreRecordInput, RecordOutput>(payload, vec![json!({"inSync": true})]),
        "drain-source" => exchange::<UnderFence, DrainSourceOutput>(payload, vec![json!({"milliseconds": 80})]),
        "complete-target" => exchange::<UnderFence, CompleteTargetOutput>(
            payload,
            vec![json!({"sequences": 1, "objects": 2, "milliseconds": 30})],
        ),
        "open-target" => exchange::<UnderFence, OutcomeOutput>(payload, vec![json!({"outcome": "open"})]),
        "confirm-cutover" => exchange::<ConfirmCutoverInput, NoOutput>(payload, vec![json!({})]),
        "find-servers" => exchange::<FindServersInput, FindServersOutput>(
            payload,
            vec![
                json!({"source": server(), "target": server()}),
                json!({"source": server(), "target": null}),
                json!({"source": null, "target": null}),
            ],
        ),
        "unfence-source" => {
            let input: UnfenceSourceInput = serde_json::from_value(payload.clone())?;
            let mut answers = vec![json!({"outcome": "back"})];
            if input.target.is_some() {
                answers.push(json!({"outcome": "open"})); // without a target nothing can be open
            }
            typed::<OutcomeOutput>(answers)
        }
        "prepare-fail-back" | "follow-target" | "close-fail-back" => {
            exchange::<OnBoth, NoOutput>(payload, vec![json!({})])
        }
        "schedule-checks" => {
            exchange::<OnBoth, ScheduleChecksOutput>(payload, vec![json!({"closes": "2027-02-07T02:00:00Z"})])
        }
        "find-fail-back" => {
            let mut has_clients = run("upgrade");
            has_clients["clients"] = json!({"secrets": [{"secretId": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:app"}], "hooks": []});
            let found =
                |run: &Value| json!({"run": failing_back(run), "source": server(), "target": server(), "accept": []});
            exchange::<FindFailBackInput, FindFailBackOutput>(
                payload,
                vec![found(&run("upgrade")), found(&has_clients)],
            )
        }
        "begin-fail-back" => {
            let input: BeginFailBackInput = serde_json::from_value(payload.clone())?;
            let mut answers = vec![json!({"generation": 2})];
            answers.extend(input.only_find.then(|| json!({"generation": null})));
            typed::<BeginFailBackOutput>(answers)
        }
        "check-fail-back" => {
            let seen = |void: Value, text: &str| json!({"void": void, "text": text, "isNews": !text.is_empty(), "lagMilliseconds": 12, "retainedWalBytes": 16_777_216});
            let answers = vec![seen(json!([]), ""), seen(json!(["table shop.new: new"]), "table shop.new: new")];
            exchange::<CheckFailBackInput, CheckFailBackOutput>(payload, answers)
        }
        "clean-databases" => exchange::<CleanDatabasesInput, NoOutput>(payload, vec![json!({})]),
        "remove-resources" => {
            exchange::<RemoveResourcesInput, RemoveResourcesOutput>(payload, vec![json!({"kept": [], "stays": ""})])
        }
        // A step without a sample takes both sides and answers nothing.
        _ => exchange::<OnBoth, NoOutput>(payload, vec![json!({})]).with_context(|| format!("{step} has no sample")),
    }
}

/// What a service that the machines call without a function may answer.
pub fn integration(resource: &str) -> Result<Vec<Value>> {
    let rule = json!({"SecurityGroupRuleId": "sgr-1", "GroupId": "sg-1"});
    Ok(match resource {
        "arn:aws:states:::aws-sdk:ec2:authorizeSecurityGroupIngress" => {
            vec![json!({"Return": true, "SecurityGroupRules": [rule]})]
        }
        "arn:aws:states:::aws-sdk:ec2:describeSecurityGroupRules" => {
            vec![json!({"SecurityGroupRules": [rule]}), json!({"SecurityGroupRules": []})]
        }
        "arn:aws:states:::aws-sdk:ec2:revokeSecurityGroupIngress" => vec![json!({"Return": true})],
        other => bail!("{other} is no integration of the machines"),
    })
}

fn exchange<I: DeserializeOwned, O: DeserializeOwned + Serialize>(
    payload: &Value,
    answers: Vec<Value>,
) -> Result<Vec<Value>> {
    let _parses: I = serde_json::from_value(payload.clone())?;
    typed::<O>(answers)
}

/// Through the type and back, so that a sample cannot drift from the contract.
fn typed<O: DeserializeOwned + Serialize>(answers: Vec<Value>) -> Result<Vec<Value>> {
    answers.into_iter().map(|answer| Ok(serde_json::to_value(serde_json::from_value::<O>(answer)?)?)).collect()
}

fn run(mode: &str) -> Value {
    json!({
        "id": "orders-18", "executionArn": "arn:aws:states:eu-west-1:111122223333:execution:pgleap-upgrade:orders-18", "mode": mode,
        "source": {"instance": "orders-db", "database": "orders", "loginSecret": "orders"},
        "target": {"version": "18", "instance": "orders-db-v18"},
        "record": {"zoneId": "Z0123456789", "name": "orders-db.example.internal", "cutoverTtlSeconds": 1},
        "copy": {}, "clients": null, "network": {}, "choices": {}, "limits": {}, "failBack": null, "purpose": "upgrade"
    })
}

fn server() -> Value {
    json!({"host": "orders-db.abc.eu-west-1.rds.amazonaws.com", "port": 5432, "database": "orders"})
}

fn way() -> Value {
    json!({
        "from": "15.18", "hops": [{"version": "18.4", "family": "postgres18"}], "dmsEngineVersion": "3.6.1",
        "subnetIds": ["subnet-1", "subnet-2"], "securityGroupIds": ["sg-1"]
    })
}

fn shape() -> Value {
    json!({"class": "db.m6g.large", "storageGib": 100, "multiAz": false, "backups": true, "ttlSeconds": 60})
}

fn load() -> Value {
    json!({"indexBytes": 1, "walBytesPerSecond": 1, "logical": false, "longest": []})
}

fn plan() -> Value {
    json!({
        "phases": [{"name": "load", "seconds": 1.0, "delaySeconds": 0.5, "steps": ["copy-data"]}], "seconds": 1.0,
        "outage": {"milliseconds": 1.0, "parts": [{"what": "fence", "milliseconds": 1.0}], "deadlineSeconds": 60, "rebootSeconds": null},
        "creates": [{"kind": "DB snapshot", "name": "pgleap-orders-18-snapshot", "size": "100 GiB", "stays": false}],
        "cost": {"usd": 1.0, "parts": [{"what": "target", "usd": 1.0}], "basis": "estimate", "pricesOf": "2026-11", "unpriced": []},
        "findings": findings(), "notes": [], "engine": "dms", "why": "the input asks for it"
    })
}

fn findings() -> Value {
    json!({"blockers": 0, "warnings": 0, "list": [], "text": ""})
}

fn size() -> Value {
    json!({"tables": 1, "bytes": 1, "sequences": 1})
}

fn selection() -> Value {
    json!({"schemas": ["public"], "excludedTables": [], "removedColumns": [], "replicaRole": false})
}

fn table() -> Value {
    json!({"schema": "public", "table": "documents"})
}

fn repair() -> Value {
    json!({"kind": "out-of-memory", "tables": [], "before": "dms.t3.medium", "after": "dms.t3.large", "seconds": 600,
           "estimatedCost": {"usdPerHourBefore": 0.072, "usdPerHourAfter": 0.144, "pricesOf": "2026-11, us-east-1"}})
}

fn progress() -> Value {
    json!({"percent": 50, "tablesLoaded": 1, "tablesLoading": 1, "tablesQueued": 0, "tablesErrored": 0})
}
