//! From the operator's words to the run: checked by itself, without a look at AWS or a database.

use std::collections::BTreeMap;

use pgleap_contract::steps::Selection;
use pgleap_contract::{
    Approval, Choices, FailBack, Limits, Purpose, Record, Run, RunRequest, Target, UncomparedTables,
};
use pgleap_window::Interruption;
use serde_json::Value;

use crate::{clients, run_id};

/// RDS instance identifiers have 1 to 63 letters, digits and hyphens.
/// Source: Amazon RDS API reference, CreateDBInstance, DBInstanceIdentifier.
const LONGEST_INSTANCE_NAME: usize = 63;

/// The run, or the reason with the name of the field.
pub(crate) fn to_run(execution_arn: &str, request: Value) -> Result<Run, String> {
    let request: RunRequest = serde_path_to_error::deserialize(request).map_err(|error| {
        let path = error.path().to_string();
        let reason = error.into_inner();
        if path == "." { reason.to_string() } else { format!("{path}: {reason}") }
    })?;
    let id = run_id::of(request.run_id.as_deref(), execution_arn)?;
    let mut source = request.source;
    source.instance = instance("source.instance", &source.instance)?;
    filled("source.loginSecret", &source.login_secret)?;
    if let Some(database) = &source.database {
        filled("source.database", database)?;
    }
    let target = target(&source.instance, request.target)?;
    let record = record(request.record)?;
    within("limits.cutoverSeconds", request.limits.cutover_seconds, Limits::CUTOVER_SECONDS)?;
    within("limits.switchSeconds", request.limits.switch_seconds, Limits::SWITCH_SECONDS)?;
    within("limits.gateHours", request.limits.gate_hours, Limits::GATE_HOURS)?;
    outage("limits.maxOutageSeconds.connected", request.limits.max_outage_seconds.connected)?;
    outage("limits.maxOutageSeconds.new", request.limits.max_outage_seconds.new)?;
    within("limits.maxLagSeconds", request.limits.max_lag_seconds, Limits::MAX_LAG_SECONDS)?;
    within("limits.maxTransactionSeconds", request.limits.max_transaction_seconds, Limits::MAX_TRANSACTION_SECONDS)?;
    within("limits.verifySeconds", request.limits.verify_seconds, Limits::VERIFY_SECONDS)?;
    within("limits.warmSeconds", request.limits.warm_seconds, Limits::WARM_SECONDS)?;
    within("limits.maxRetainedWalGb", request.limits.max_retained_wal_gb, Limits::MAX_RETAINED_WAL_GB)?;
    within("approval.waitSeconds", request.approval.wait_seconds, Approval::WAIT_SECONDS)?;
    if let Some(class) = &request.limits.max_replication_instance_class {
        replication_class("limits.maxReplicationInstanceClass", class)?;
    }
    if let Some(window) = &request.window {
        pgleap_window::check(window, Interruption::Reboot)?;
        pgleap_window::check(window, Interruption::cutover(&request.limits, request.cutover.switch_record))?;
    }
    if let Some(fail_back) = &request.fail_back {
        within("failBack.keepHours", fail_back.keep_hours, FailBack::KEEP_HOURS)?;
    }
    asks_somebody(&request.choices, &request.approval)?;
    role_patterns("choices.ignoredRoles", &request.choices.ignored_roles)?;
    bounded("choices.asOfSnapshotDatabases", &request.choices.as_of_snapshot_databases)?;
    bounded("choices.asOfSnapshotSchemas", &request.choices.as_of_snapshot_schemas)?;
    tags("tags", &request.tags)?;
    clients::check(&request.clients, &request.limits)?;
    Ok(Run {
        id,
        execution_arn: execution_arn.to_owned(),
        mode: request.mode,
        source,
        target,
        record,
        copy: request.copy.into(),
        cutover: request.cutover,
        clients: (!request.clients.is_empty()).then_some(request.clients),
        network: request.network,
        choices: request.choices,
        approval: request.approval,
        window: request.window,
        limits: request.limits,
        fail_back: request.fail_back,
        purpose: Purpose::Upgrade,
        tags: request.tags,
    })
}

/// DMS allows ten tags, of which the run needs one or two.
const MAX_TAGS: usize = 8;

/// What RDS, DMS and Secrets Manager all take: DMS, unlike the others, refuses `@`.
/// Source: the services' published models (Tag).
fn tags(field: &str, tags: &BTreeMap<String, String>) -> Result<(), String> {
    if tags.len() > MAX_TAGS {
        return Err(format!("{field}: {} tags are more than the limit of {MAX_TAGS}", tags.len()));
    }
    let plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || " _.:/=+-".contains(c));
    for (key, value) in tags {
        let reserved = ["aws:", "pgleap:"].iter().any(|prefix| key.to_lowercase().starts_with(prefix));
        if key.is_empty() || key.chars().count() > 128 || !plain(key) || reserved {
            return Err(format!("{field}: {key:?} is not a tag key that RDS, DMS and Secrets Manager all accept"));
        }
        if value.chars().count() > 256 || !plain(value) {
            return Err(format!("{field}.{key}: the value is not one that RDS, DMS and Secrets Manager all accept"));
        }
    }
    Ok(())
}

/// An RDS identifier in the lower case in which RDS keeps it: what is compared later is compared in that form.
fn instance(field: &str, name: &str) -> Result<String, String> {
    let name = name.to_ascii_lowercase();
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    let characters = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let hyphens = !name.contains("--") && !name.ends_with('-');
    if starts_well && characters && hyphens && name.len() <= LONGEST_INSTANCE_NAME {
        Ok(name)
    } else {
        Err(format!("{field}: {name:?} is not an RDS instance identifier"))
    }
}

fn target(source: &str, target: Target) -> Result<Target, String> {
    let major = major_of(&target.version)
        .ok_or_else(|| format!("target.version: {:?} is neither a major (18) nor a version (18.4)", target.version))?;
    let name = match &target.instance {
        Some(name) => instance("target.instance", name)?,
        None => instance("target.instance", &format!("{source}-v{major}"))
            .map_err(|reason| format!("{reason} (derived from the source's name; set target.instance)"))?,
    };
    if name == source {
        return Err(format!("target.instance: {name:?} is the source"));
    }
    Ok(Target { version: target.version, instance: Some(name) })
}

/// `18`, `18.4` and, under Extended Support, `12.22-rds.20250508`.
/// Source: Amazon RDS for PostgreSQL release notes, Extended Support versions.
fn major_of(version: &str) -> Option<u32> {
    let (number, patch) = version.split_once("-rds.").map_or((version, None), |(number, patch)| (number, Some(patch)));
    let (major, minor) = number.split_once('.').map_or((number, None), |(major, minor)| (major, Some(minor)));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let good = digits(major) && minor.is_none_or(digits) && patch.is_none_or(|patch| minor.is_some() && digits(patch));
    major.parse().ok().filter(|major| good && (10..1_000).contains(major))
}

fn record(record: Record) -> Result<Record, String> {
    let zone_id = record.zone_id.trim_start_matches("/hostedzone/").to_owned();
    if zone_id.is_empty() || !zone_id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(format!("record.zoneId: {:?} is not the id of a hosted zone", record.zone_id));
    }
    let name = record.name.trim_end_matches('.').to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if name.len() > 253 || !name.contains('.') || !name.split('.').all(label) {
        return Err(format!("record.name: {:?} is not a full host name", record.name));
    }
    within("record.cutoverTtlSeconds", record.cutover_ttl_seconds, Record::CUTOVER_TTL_SECONDS)?;
    Ok(Record { zone_id, name, cutover_ttl_seconds: record.cutover_ttl_seconds })
}

/// `dms.r6i.large`. Whether the Region offers it is not asked: it is only compared with.
fn replication_class(field: &str, class: &str) -> Result<(), String> {
    let mut parts = class.split('.');
    let known = parts.next() == Some("dms") && parts.by_ref().take(2).filter(|part| !part.is_empty()).count() == 2;
    if known && parts.next().is_none() { Ok(()) } else { Err(format!("{field}: {class:?} is not a class of DMS")) }
}

pub(crate) fn filled(field: &str, text: &str) -> Result<(), String> {
    if text.trim().is_empty() { Err(format!("{field}: is empty")) } else { Ok(()) }
}

fn outage(field: &str, seconds: Option<f64>) -> Result<(), String> {
    let (least, most) = Limits::MAX_OUTAGE_MILLISECONDS;
    let (least, most) = (f64::from(least) / 1_000.0, f64::from(most) / 1_000.0);
    match seconds {
        Some(seconds) if !(least..=most).contains(&seconds) => {
            Err(format!("{field}: {seconds} is not within {least} to {most}"))
        }
        _ => Ok(()),
    }
}

pub(crate) fn within(field: &str, value: u32, (least, most): (u32, u32)) -> Result<(), String> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(format!("{field}: {value} is not within {least} to {most}"))
    }
}

/// The question about tables that were not compared is part of the one before the cutover.
fn asks_somebody(choices: &Choices, approval: &Approval) -> Result<(), String> {
    if choices.uncompared_tables == Some(UncomparedTables::Ask) && !approval.cutover {
        return Err("choices.uncomparedTables: ask requires approval.cutover, because that question names the tables"
            .to_owned());
    }
    Ok(())
}

fn bounded(field: &str, list: &[String]) -> Result<(), String> {
    let longest = Selection::LONGEST;
    if list.len() > longest {
        return Err(format!("{field}: {} entries are more than the limit of {longest}", list.len()));
    }
    Ok(())
}

/// How many patterns of roles there may be, and how much of a name each must have: one that fits every role would hide
/// changes that the target needs.
const MAX_ROLE_PATTERNS: usize = 20;
const SHORTEST_ROLE_PATTERN: usize = 2;

fn role_patterns(field: &str, patterns: &[String]) -> Result<(), String> {
    if patterns.len() > MAX_ROLE_PATTERNS {
        return Err(format!("{field}: {} entries are more than the limit of {MAX_ROLE_PATTERNS}", patterns.len()));
    }
    let fits_too_much = |pattern: &&String| pattern.chars().filter(|c| *c != '%').count() < SHORTEST_ROLE_PATTERN;
    match patterns.iter().find(fits_too_much) {
        Some(pattern) => Err(format!("{field}: {pattern:?} matches nearly every role; give more characters than %")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_contract::{KeylessTables, Mode};
    use serde_json::json;

    const ARN: &str = "arn:aws:states:eu-west-1:123456789012:execution:pgleap-upgrade:orders-18";

    const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:1:secret:app-AbCdEf";
    const HOOK: &str = "arn:aws:lambda:eu-west-1:1:function:move";

    fn smallest() -> Value {
        json!({
            "source": {"instance": "Orders-DB", "loginSecret": "arn:aws:secretsmanager:eu-west-1:1:secret:orders"},
            "target": {"version": "18"},
            "record": {"zoneId": "/hostedzone/Z123", "name": "Orders-DB.example.internal."}
        })
    }

    #[test]
    fn the_smallest_request_gets_every_default() {
        let run = to_run(ARN, smallest()).expect("good");

        assert_eq!(run.id.as_str(), "orders-18");
        assert_eq!(run.source.instance, "orders-db");
        assert_eq!(run.target.instance.as_deref(), Some("orders-db-v18"));
        assert_eq!((run.record.zone_id.as_str(), run.record.name.as_str()), ("Z123", "orders-db.example.internal"));
        assert_eq!(run.record.cutover_ttl_seconds, 1);
        assert_eq!((run.mode, run.choices.keyless_tables), (Mode::Upgrade, KeylessTables::Refuse));
        assert_eq!(run.limits, Limits::default());
    }

    #[test]
    fn a_misfit_is_refused_by_the_name_of_its_field() {
        let cases = [
            ("/source/instance", json!("a b"), "source.instance:"),
            ("/source/instance", json!(7), "source.instance:"),
            ("/source/loginSecret", json!(" "), "source.loginSecret:"),
            ("/source/database", json!(""), "source.database:"),
            ("/source/passwrd", json!("x"), "source.passwrd: unknown field"),
            ("/surprise", json!(1), "surprise: unknown field"),
            ("/target/version", json!("newest"), "target.version:"),
            ("/target/version", json!("18."), "target.version:"),
            ("/target/version", json!("9.6"), "target.version:"),
            ("/target/instance", json!("orders-db"), "target.instance:"),
            ("/record/zoneId", json!("no zone"), "record.zoneId:"),
            ("/record/name", json!("orders"), "record.name:"),
            ("/record/cutoverTtlSeconds", json!(3_600), "record.cutoverTtlSeconds:"),
            ("/limits", json!({"maxOutageSeconds": {"new": 0}}), "limits.maxOutageSeconds.new:"),
            ("/runId", json!("Not Mine"), "runId:"),
            ("/mode", json!("dry"), "mode:"),
            ("/choices", json!({"keylessTables": "drop"}), "choices.keylessTables:"),
            ("/choices", json!({"uncomparedTables": "skip"}), "choices.uncomparedTables:"),
            ("/choices", json!({"uncomparedTables": "ask"}), "choices.uncomparedTables: ask requires approval.cutover"),
            ("/choices", json!({"ignoredRoles": ["v-%", "%%"]}), "choices.ignoredRoles: \"%%\""),
            ("/choices", json!({"ignoredRoles": vec!["v-%"; 21]}), "choices.ignoredRoles: 21"),
            ("/choices", json!({"readReplicas": "move"}), "choices.readReplicas:"),
            ("/choices", json!({"asOfSnapshotSchemas": vec!["s"; 501]}), "choices.asOfSnapshotSchemas:"),
            ("/limits", json!({"cutoverSeconds": 0}), "limits.cutoverSeconds:"),
            ("/approval", json!({"cutover": true, "waitSeconds": 1}), "approval.waitSeconds:"),
            ("/window", json!({"start": "02:00", "end": "2 am", "timeZone": "UTC"}), "window.end:"),
            ("/window", json!({"start": "02:00", "end": "05:00"}), "window: missing field `timeZone`"),
            ("/approval", json!({"onRejectedCutover": "shrug"}), "approval.onRejectedCutover:"),
            ("/limits", json!({"cutoverSeconds": "60"}), "limits.cutoverSeconds:"),
            ("/clients", json!({"secrets": [{"secretId": "orders"}]}), "clients.secrets: \"orders\""),
            ("/clients", json!({"secrets": [{"secretId": SECRET, "from": ""}]}), "clients.secrets: from:"),
            ("/clients", json!({"secrets": [{"secretId": SECRET}, {"secretId": SECRET}]}), "clients.secrets: \"arn"),
            ("/clients", json!({"secrets": [{"secretId": SECRET, "hots": "x"}]}), "clients.secrets[0].hots:"),
            ("/clients", json!({"hooks": [{"functionArn": "move"}]}), "clients.hooks: \"move\""),
            (
                "/clients",
                json!({"hooks": [{"functionArn": HOOK, "timeoutSeconds": 0}]}),
                "clients.hooks: timeoutSeconds:",
            ),
            (
                "/clients",
                json!({"hooks": [{"functionArn": HOOK, "timeoutSeconds": 31}]}),
                "clients.hooks: timeoutSeconds: 31",
            ),
            ("/tags", json!({"aws:mine": "x"}), "tags: \"aws:mine\""),
            ("/tags", json!({"PGLEAP:run": "x"}), "tags: \"PGLEAP:run\""),
            ("/tags", json!({"owner": "me@example.com"}), "tags.owner:"),
            (
                "/tags",
                json!({"a": "", "b": "", "c": "", "d": "", "e": "", "f": "", "g": "", "h": "", "i": ""}),
                "tags: 9",
            ),
        ];
        for (pointer, value, names) in cases {
            let mut request = smallest();
            let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
            request.pointer_mut(parent).expect("exists")[key] = value.clone();

            let reason = to_run(ARN, request).expect_err(pointer);

            assert!(reason.starts_with(names), "{pointer} = {value}: {reason}");
        }
    }

    #[test]
    fn a_missing_field_is_named() {
        let mut request = smallest();
        request["record"].as_object_mut().expect("an object").remove("zoneId");

        assert_eq!(to_run(ARN, request).expect_err("missing"), "record: missing field `zoneId`");
    }

    #[test]
    fn versions_read() {
        let cases = [
            ("18", Some(18)),
            ("18.4", Some(18)),
            ("12.22-rds.20250508", Some(12)),
            ("10", Some(10)),
            ("", None),
            ("v18", None),
            ("18.x", None),
            ("18-rds.1", None),
            ("18.4-rds.", None),
            ("9.6", None),
            ("+18", None),
        ];
        for (version, major) in cases {
            assert_eq!(major_of(version), major, "{version}");
        }
    }
}
