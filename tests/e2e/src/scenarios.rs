//! Every disturbance that a run promises to bear, one rehearsal after the other, a line each.

use std::time::Duration;

use anyhow::Result;

use crate::cli::ScenariosArguments;
use crate::disturbance::Disturbance;
use crate::matrix::entry::RECORD_FIRST;
use crate::process::{file_name, rehearse};

/// Each a disturbance of the command line, in the order of the run. `docs/semantics.md` names the promise of each.
pub const ALL: &[&str] = &[
    "reject-reboot",
    "ddl:snapshot-source",
    "kill:tell-people",
    "kill:upgrade-target:2",
    "kill:prepare-target",
    "kill:empty-target",
    "kill:copy-data:2",
    "ddl:copy-data",
    "truncate:copy-data",
    "stop-execution:copy-data",
    "truncate:verify-copy",
    "approve",
    "approve-by-link",
    "reject-by-link",
    "reject",
    "reject-then-approve",
    "no-answer",
    "wal-while-waiting",
    "restart-while-waiting",
    "ddl:guard-cutover",
    "kill:fence-source:1:40",
    "lose:fence-source",
    "stop-execution:fence-source",
    "kill:swap-record",
    "kill:drain-source:1:60",
    "lose:drain-source",
    "stop-execution:drain-source",
    "leave:drain-source",
    "kill:complete-target:1:40",
    "lose:complete-target",
    "kill:open-target:1:8",
    "lose:open-target",
    "stop-execution:open-target",
    "kill:confirm-cutover",
    "stop-execution:confirm-cutover",
    "kill:settle-target",
];

/// A run that only looks: what a plan promises.
const PLAN: &str = "plan";

/// Each a list of trouble for `run --faults`, which the run mends, or ends cleanly with.
pub const TROUBLES: &[&str] = &[
    "out-of-memory",
    "lob-errors",
    "lob-errors:30",
    "lob-errors:120",
    "slot-lost",
    "instance-reboot",
    "table-suspended",
    "task-stopped",
    "wal-piles-up",
    "memory-stays-short",
    "table-fails",
    "security-group",
    "rule-missing",
    "disk-full",
    "source-disk-fills",
    "source-disk-full",
    "target-disk-full",
    "source-failover",
    "idle-functions",
    "late-tags",
    "zone-elsewhere",
    "stale-secrets",
    "slow-look-ups",
    "late-changes",
    "decodes-already",
    "wrong-secret",
    "production",
    "rules-reached",
    "few-concurrent",
    "quota-reached",
    "key-updated",
    "equal-row-deleted",
    "value-clamped",
    "out-of-memory,lob-errors,slot-lost,instance-reboot",
    "no-seed-function",
    "seed-null",
    "writer-on-copy",
    "native-slot-lost",
    "native-wal-piles-up",
    "target-dies-after-advance",
    "native-conflict",
    "no-replication-workers",
    "native-owner",
];

/// Attacks on the cutover: what an adversary tried, each by name, with the options of the run that tries it. Those that are
/// one disturbance are called so.
pub const ATTACKS: &[(&str, &[&str])] = &[
    // After OPEN a failure must never lead back.
    ("stop-clean", &["--break", "stop-execution:FinishDatabases"]),
    ("stop-finish-replication", &["--break", "stop-execution:FinishRemoveReplication"]),
    ("stop-finish-resources", &["--break", "stop-execution:FinishResources"]),
    ("fail-finish-databases", &["--break", "fail:FinishDatabases"]),
    ("fail-finish-resources", &["--break", "fail:FinishResources"]),
    ("denied-untag", &["--break", "denied:remove-resources:rds:RemoveTagsFromResource"]),
    ("denied-delete-snapshot", &["--break", "denied:remove-resources:rds:DeleteDBSnapshot"]),
    ("late-schedule", &["--break", "late-deadline:FinishResources"]),
    ("half-clean", &["--break", "stop-source:FinishDatabases"]),
    // A call that was given up on acts when the run is elsewhere.
    ("zombie-drain", &["--break", "zombie:DrainSource"]),
    ("zombie-fence-open", &["--break", "zombie:FenceSource"]),
    ("zombie-complete", &["--break", "zombie:CompleteTarget"]),
    ("zombie-swap", &["--break", "zombie:SwapRecord"]),
    ("zombie-swap2", &["--break", "zombie:SwapRecord", "--break", "stop-execution:SwapRecord"]),
    ("zombie-fence", &["--break", "zombie:FenceSource:1:6", "--break", "stop-execution:FenceSource"]),
    ("zombie-open", &["--break", "zombie:OpenTarget:1:6", "--break", "stop-execution:OpenTarget"]),
    ("zombie-arm", &["--break", "zombie:ArmDeadline:1:2", "--break", "stop-execution:ArmDeadline"]),
    ("zombie-lock", &["--break", LOCK_DATABASE]),
    // What changes in the last moment.
    ("truncate-arm-deadline", &["--break", "truncate:arm-deadline"]),
    ("ddl-arm-deadline", &["--break", "ddl:arm-deadline"]),
    ("truncate-fence", &["--break", "truncate:fence-source"]),
    ("ddl-fence", &["--break", "ddl:fence-source"]),
    ("ddl-unseen", &["--break", UNSEEN_DDL]),
    ("infinity2", &["--break", INFINITY]),
    // Who writes past the fence.
    ("self-grant", &["--from", "16", "--prepare", SELF_GRANT]),
    ("dropped-role", &["--break", "drop-role-under-session:PrepareSource"]),
    ("second-run", &["--break", "other-run-goes-back:GuardCutover"]),
    // Clients that follow only a secret, or only a hook.
    ("secret-kill", &["--clients", "secret", "--break", "kill:SwitchClients"]),
    ("secret-stop", &["--clients", "secret", "--break", "stop-execution:SwitchClients"]),
    ("secret-zombie", &["--clients", "secret", "--break", "zombie:SwitchClients"]),
    ("secret-back", &["--clients", "secret", "--break", "fail:CompleteTarget"]),
    ("hook-stop", &["--clients", "hook", "--break", "stop-execution:SwitchClients"]),
    ("hook-zombie", &["--clients", "hook", "--break", "zombie:SwitchClients"]),
    ("hook-back", &["--clients", "hook", "--break", "fail:CompleteTarget"]),
    // The same with the native engine, which reads the source by a publication and a slot of its own.
    ("native-lose-publication", &["--engine", "native", "--break", "lose:PreparePublication"]),
    ("native-zombie-publication", &["--engine", "native", "--break", "zombie:PreparePublication"]),
    ("native-kill-start", &["--engine", "native", "--break", "kill:FindStart:1:0"]),
    ("native-lose-subscription", &["--engine", "native", "--break", "lose:SubscribeTarget"]),
    ("native-zombie-subscription", &["--engine", "native", "--break", "zombie:SubscribeTarget"]),
    ("native-stop-subscription", &["--engine", "native", "--break", "stop-execution:SubscribeTarget"]),
    ("native-crash-catch-up", &["--engine", "native", "--break", "crash-target:CatchUp"]),
    ("native-stop-catch-up", &["--engine", "native", "--break", "stop-execution:CatchUp"]),
    ("native-zombie-catch-up", &["--engine", "native", "--break", "zombie:CatchUp"]),
    ("native-crash-drain", &["--engine", "native", "--break", "crash-target:DrainSource"]),
    ("native-zombie-drain", &["--engine", "native", "--break", "zombie:DrainSource"]),
    ("native-stop-drain", &["--engine", "native", "--break", "stop-execution:DrainSource"]),
    ("native-stop-confirm", &["--engine", "native", "--break", "stop-execution:ConfirmCutover"]),
    // Clients change rows of tables without a key all the time, and no side may ever refuse them for the publication.
    ("native-keyless-back", &["--engine", "native", "--tps", "500", "--break", "fail:CompleteTarget:FenceFailed:1"]),
    // Failing back: how a path ends, and what disturbs it at its worst moments.
    ("fail-back-native", &["--engine", "native", "--fail-back", "return"]),
    ("fail-back-dms", &["--engine", "dms", "--fail-back", "return"]),
    ("fail-back-accept", &["--engine", "native", "--fail-back", "accept"]),
    ("fail-back-expire", &["--engine", "native", "--fail-back", "expire"]),
    ("fail-back-void", &["--engine", "native", "--fail-back", "void"]),
    ("fail-back-lose-begin", &["--engine", "native", "--fail-back", "return", "--break", "lose:begin-fail-back"]),
    (
        "fail-back-stop-fence",
        &["--engine", "native", "--fail-back", "return", "--break", "stop-execution:fail-back/FenceSource"],
    ),
    (
        "fail-back-zombie-drain",
        &["--engine", "native", "--fail-back", "return", "--break", "zombie:fail-back/DrainSource"],
    ),
    (
        "fail-back-fail-complete",
        &["--engine", "native", "--fail-back", "return", "--break", "fail:fail-back/CompleteTarget:FenceFailed:1"],
    ),
    (
        "fail-back-stop-confirm",
        &["--engine", "native", "--fail-back", "return", "--break", "stop-execution:fail-back/ConfirmCutover"],
    ),
    ("fail-back-zombie-prepare", &["--engine", "native", "--fail-back", "return", "--break", "zombie:PrepareFailBack"]),
    // A crash of the target takes back what was not yet flushed.
    ("first-kill-switch", &["--input-file", RECORD_FIRST, "--break", "kill:SwitchRecord:1:0"]),
    ("first-lose-switch", &["--input-file", RECORD_FIRST, "--break", "lose:SwitchRecord"]),
    ("first-zombie-switch", &["--input-file", RECORD_FIRST, "--break", "zombie:SwitchRecord"]),
    ("first-stop-switch", &["--input-file", RECORD_FIRST, "--break", "stop-execution:SwitchRecord"]),
    ("first-leave-switch", &["--input-file", RECORD_FIRST, "--break", "leave:AwaitNameServers"]),
    ("first-zombie-shut", &["--input-file", RECORD_FIRST, "--break", "zombie:ShutTarget"]),
    (
        "first-zombie-arm",
        &["--input-file", RECORD_FIRST, "--break", "zombie:ArmSwitch:1:2", "--break", "stop-execution:ArmSwitch"],
    ),
    ("first-fail-gate", &["--input-file", RECORD_FIRST, "--break", "fail:GuardSwitched:CutoverNotSafe:1"]),
    ("first-fail-complete", &["--input-file", RECORD_FIRST, "--break", "fail:CompleteTarget:FenceFailed:1"]),
    ("crash-open", &["--break", "crash-target:OpenTarget"]),
    (
        "async2",
        &["--prepare", ASYNCHRONOUS, "--break", SLOW_WAL, "--break", RELOAD, "--break", "crash-target:CompleteTarget"],
    ),
];

/// Somebody's open transaction holds the row that the fence must change.
const LOCK_DATABASE: &str = "source-sql-beside:FenceSource:DO $$ BEGIN GRANT TEMPORARY ON DATABASE shop TO shop_app; \
    PERFORM pg_sleep(75); END $$";
const UNSEEN_DDL: &str = "source-sql:arm-deadline:CREATE FUNCTION shop.added_by_somebody() RETURNS int LANGUAGE sql AS \
    'SELECT 1'; CREATE VIEW shop.added_by_somebody_view AS SELECT 1 AS one; \
    CREATE INDEX added_by_somebody_index ON shop.customers (family_name, id); \
    GRANT SELECT ON shop.added_by_somebody_view TO PUBLIC";
const INFINITY: &str = "source-sql:GuardCutover:UPDATE shop.customers SET created_at = 'infinity' WHERE id <= 1010";
const SELF_GRANT: &str = "ALTER ROLE shop_admin SET createrole_self_grant = 'set, inherit'";
const ASYNCHRONOUS: &str = "ALTER DATABASE shop SET synchronous_commit = off";
const SLOW_WAL: &str = "target-sql:CreateTask:ALTER SYSTEM SET wal_writer_delay = '10s'";
const RELOAD: &str = "target-sql:CopyData:SELECT pg_reload_conf()";
/// Longest rehearsal of one scenario.
const LONGEST: Duration = Duration::from_secs(900);

/// Rehearse them; true if every promise was kept. Each runs in a process of its own, its screen in a file.
pub async fn run(arguments: &ScenariosArguments) -> Result<bool> {
    let attacks = ATTACKS.iter().map(|(name, _)| *name);
    let all = [PLAN].into_iter().chain(ALL.iter().copied()).chain(TROUBLES.iter().copied()).chain(attacks);
    let chosen: Vec<&str> = match &arguments.names[..] {
        [] => all.collect(),
        names => names.iter().map(String::as_str).collect(),
    };
    let mut failed = 0;
    for name in &chosen {
        let folder = arguments.reports.join(file_name(name));
        let ended = rehearse(&options(name), &folder, LONGEST).await?;
        failed += usize::from(!ended.broken.is_empty());
        say(&line(name, &ended.broken, ended.seconds));
    }
    say(&format!("{} passed, {failed} failed", chosen.len() - failed));
    Ok(failed == 0)
}

/// How the command line of one run asks for a scenario.
fn options(name: &str) -> Vec<String> {
    let of_attack = ATTACKS.iter().find(|(known, _)| *known == name).map(|(_, options)| *options);
    let options: &[&str] = match of_attack {
        Some(options) => options,
        None if name == PLAN => &["--plan"],
        None if name.parse::<Disturbance>().is_ok() => &["--break", name],
        None => &["--faults", name],
    };
    options.iter().map(|option| (*option).to_owned()).collect()
}

fn line(name: &str, broken: &[String], seconds: u64) -> String {
    match broken {
        [] => format!("{name:<34} as promised   {seconds:>4} s"),
        broken => format!("{name:<34} FAILED        {seconds:>4} s  {}", broken.join("; ")),
    }
}

#[expect(clippy::print_stdout, reason = "a table for people and scripts")]
fn say(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::trouble::Trouble;

    #[test]
    fn every_scenario_is_a_disturbance() {
        for name in ALL {
            let parsed: Disturbance = name.parse().unwrap();
            assert!(parsed.to_string().starts_with(name), "{name}");
        }
    }

    #[test]
    fn every_attack_can_be_asked_for() {
        for (name, options) in ATTACKS {
            let words = ["rehearsal", "run"].into_iter().chain(options.iter().copied());
            let cli = crate::cli::Cli::try_parse_from(words);
            assert!(cli.is_ok(), "{name}: {}", cli.unwrap_err());
        }
    }

    #[test]
    fn every_trouble_can_be_planned() {
        for name in TROUBLES.iter().flat_map(|names| names.split(',')) {
            assert_eq!(name.parse::<Trouble>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn a_broken_promise_is_told() {
        assert!(line("kill:copy-data", &[], 50).contains("as promised"));
        assert!(line("kill:copy-data", &["1 rows were lost".to_owned()], 50).ends_with("1 rows were lost"));
    }
}
