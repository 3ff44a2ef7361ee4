//! Findings that only the plan can make, because they need the results of all checks; and notes on what no check can see.

use pgleap_contract::steps::{BusyTable, PlanRunInput, PlannedPhase};
use pgleap_contract::{CopyEngine, Finding, Phase, ReadReplicas, SwitchRecord, UncomparedTables};

use crate::dms;

const STORAGE: &str = "storage-for-wal";
const BUSY: &str = "busy-tables";
const ROTATION: &str = "rotation-due";
const WAL_LIMIT: &str = "wal-near-limit";

/// With so many changes per row and minute, both sides are never seen with the same content.
const HOT: u64 = 600;
/// A table without a key is read by one statement.
const LARGE: u64 = 20 << 30;

const REPLICAS_STAY: &str = "read replicas stay with the source: from the fence on, they refuse new connections, and open sessions on \
                             them see no new data; the target has no replicas until you create them";

const RECORD_FIRST: &str = "if the record changes before the fence (cutover.switchRecord), new connections are refused until the target is \
                            open; if the cutover fails then, they are refused for up to twice as long as a change of the record takes";
const CACHED_SECRETS: &str = "clients that cache a secret of clients.secrets follow when they read it again (after an hour with AWS's \
                              caching libraries, unless you set another time); until then, the fenced source refuses their connections";

/// What the whole picture shows.
pub(crate) fn findings(input: &PlanRunInput, phases: &[PlannedPhase]) -> Vec<Finding> {
    rotation(input, phases)
        .into_iter()
        .chain(storage(input, phases))
        .chain(wal_limit(input, phases))
        .chain(busy(input))
        .collect()
}

/// A rotation of the owner's secret that is due before the run would be over. Secrets Manager names the latest moment, so one
/// that is due later may come earlier all the same: `login-secret-rotates` warns of that.
/// Source: AWS Secrets Manager API reference, DescribeSecret, NextRotationDate.
fn rotation(input: &PlanRunInput, phases: &[PlannedPhase]) -> Option<Finding> {
    let seconds: f64 = phases.iter().map(|phase| phase.seconds).sum();
    let due = input.shape.as_ref()?.rotates_in_seconds? as f64;
    if due > seconds {
        return None;
    }
    let when = if due <= 0.0 { "now".to_owned() } else { format!("within {} minutes", (due / 60.0).ceil()) };
    let found = format!(
        "Secrets Manager rotates secret {} {when}, and the run is expected to take {} minutes. A rotation sets the new password \
         on the source only, which ends the run before the cutover",
        input.run.source.login_secret,
        (seconds / 60.0).ceil()
    );
    let remedy = "stop the rotation until the run has ended (if RDS manages the secret, move the schedule), or start the run right \
                  after a rotation";
    Some(Finding::blocker(ROTATION, found, remedy))
}

/// Tables that clients write to all the time, and what that means for the comparison of both sides.
fn busy(input: &PlanRunInput) -> Option<Finding> {
    if input.load.busy.is_empty() {
        return None;
    }
    let named: Vec<String> = input.load.busy.iter().map(name).collect();
    let found = format!("clients write to these tables all the time: {}", named.join("; "));
    let then = match input.run.uncompared_tables() {
        UncomparedTables::Ask => "the approval request before the cutover names it",
        UncomparedTables::Refuse => "the run ends before the cutover",
        UncomparedTables::Accept => "the run continues, and its report names it",
    };
    let remedy = format!(
        "the run compares these tables while clients write. If rows of a table change at every comparison, or the table has no primary key \
         and is too large to be read by one statement, it cannot be compared, and then {then} (choices.uncomparedTables). Run at a \
         quieter time, or give the table a primary key"
    );
    Some(Finding::warning(BUSY, found, remedy))
}

/// With what makes it likely that it cannot be compared.
fn name(table: &BusyTable) -> String {
    let minute = table.changes_per_minute;
    let likely = if table.rows > 0 && minute >= table.rows.saturating_mul(HOT) {
        ", in few rows, so it probably cannot be compared"
    } else if !table.has_key && table.bytes >= LARGE {
        ", no primary key and large, so it probably cannot be compared"
    } else if !table.has_key {
        ", no primary key"
    } else {
        ""
    };
    format!("{} ({minute} changes per minute{likely})", table.table)
}

/// From the creation of the slot until the copy has caught up, in bytes.
fn kept_wal(input: &PlanRunInput, phases: &[PlannedPhase]) -> f64 {
    let since = input.run.copy.engine.traits().keeps_wal_since.name();
    let keeps =
        phases.iter().skip_while(|phase| phase.name != since).take_while(|phase| phase.name != Phase::MakeReady.name());
    let seconds: f64 = keeps.map(|phase| phase.seconds).sum();
    seconds * input.load.wal_bytes_per_second as f64
}

/// WAL that is kept meanwhile, against the limit at which the run stops.
fn wal_limit(input: &PlanRunInput, phases: &[PlannedPhase]) -> Option<Finding> {
    let (kept, limit) = (kept_wal(input, phases), f64::from(input.run.limits.max_retained_wal_gb) * 1e9);
    if kept <= limit {
        return None;
    }
    let found = format!(
        "the source would keep about {:.0} GB of WAL until the copy has caught up, and the run stops at {} GB",
        kept / 1e9,
        input.run.limits.max_retained_wal_gb
    );
    let remedy = "run at a quieter time, or raise limits.maxRetainedWalGb if the source has enough storage";
    Some(Finding::warning(WAL_LIMIT, found, remedy))
}

/// Storage that is left after the databases, against the WAL that is kept meanwhile; with a tenth to spare.
fn storage(input: &PlanRunInput, phases: &[PlannedPhase]) -> Option<Finding> {
    let shape = input.shape.as_ref()?;
    let kept = kept_wal(input, phases);
    let free = f64::from(shape.storage_gib) * f64::from(1 << 30) * 0.9 - input.size.bytes as f64;
    if kept <= free {
        return None;
    }
    let gib = |bytes: f64| (bytes / f64::from(1 << 30)).ceil();
    let found = format!(
        "the source would keep about {} GiB of WAL until the copy has caught up, but it has only about {} GiB left of {} GiB (logs and \
         other databases not counted)",
        gib(kept),
        gib(free.max(0.0)),
        shape.storage_gib
    );
    Some(Finding::warning(STORAGE, found, "increase the source's storage first, or run at a quieter time"))
}

/// Standing notes: true of every run, so they are no findings.
pub(crate) fn notes(input: &PlanRunInput) -> Vec<String> {
    let single = input.shape.as_ref().is_some_and(|shape| !shape.multi_az);
    let mut notes = Vec::new();
    if single {
        notes.push(
            "the source is in one Availability Zone, so writes pause for a moment when the snapshot begins".to_owned(),
        );
    }
    if input.shape.as_ref().is_some_and(|shape| shape.backups) {
        notes.push(
            "the cutover waits for the target's first backup, which takes minutes to hours: this plan assumes 10 s per GiB of storage"
                .to_owned(),
        );
    }
    notes.extend(
        [
            "clients that use the instance's own endpoint do not move to the target, and preflight cannot see which clients these are",
            "clients with sslmode=verify-full cannot connect by the record's name, because the server certificate names the instance's endpoint",
            "Terraform, CloudFormation or CDK code that manages the record or the instance undoes the cutover when it is next applied: do not apply it from the start of the run until it names the target (docs/infrastructure-as-code.md)",
            "alarms, event subscriptions and code that name the instance stay with the source",
            "do not change passwords of applications during the run: the target has the passwords of the snapshot, and clients with a newer one are refused from the cutover on; only the owner's password is set on the target too when it changes on the source",
            "only CloudWatch knows the free storage; this plan uses the allocated storage minus the size of the database",
            "every figure is an estimate from assumed throughput and delays (to use your own, set the variable PGLEAP_RATES of the function plan-run) and from list prices of a fixed date",
        ]
        .map(str::to_owned),
    );
    if input.run.cutover.switch_record != SwitchRecord::WithDrain {
        notes.push(RECORD_FIRST.to_owned());
    }
    if input.run.clients.as_ref().is_some_and(|clients| !clients.secrets.is_empty()) {
        notes.push(CACHED_SECRETS.to_owned());
    }
    if input.run.choices.read_replicas == ReadReplicas::Stay {
        notes.push(REPLICAS_STAY.to_owned());
    }
    if input.run.copy.engine == CopyEngine::Dms {
        notes.push(dms::NOTE.to_owned());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rates::Rates;
    use crate::tests::{GIB, input};

    #[test]
    fn too_little_storage_for_the_wal_of_the_load_is_found() {
        let mut busy = input();
        busy.load.wal_bytes_per_second = 50_000_000;

        assert_eq!(findings(&input(), &crate::plan(&input(), &Rates::default()).phases), []);
        let found = findings(&busy, &crate::plan(&busy, &Rates::default()).phases);
        assert_eq!(found.first().map(|finding| finding.check.as_str()), Some(STORAGE));
        busy.size.bytes = 400 * GIB;
        assert!(findings(&busy, &crate::plan(&busy, &Rates::default()).phases)[0].found.contains("about 0 GiB left"));
    }

    #[test]
    fn a_rotation_that_is_due_inside_the_run_stops_it() {
        let mut rotates = input();
        let plan = crate::plan(&rotates, &Rates::default());
        let run = plan.seconds as i64;
        for (due, expected) in [(Some(run + 60), 0), (Some(run - 60), 1), (Some(-5), 1), (None, 0)] {
            rotates.shape.as_mut().expect("a shape").rotates_in_seconds = due;

            let findings = crate::plan(&rotates, &Rates::default()).findings;

            assert_eq!(
                (findings.blockers, findings.text.contains("[rotation-due]")),
                (expected, expected == 1),
                "{due:?}"
            );
        }
    }

    #[test]
    fn what_replicas_do_is_noted_where_they_stay() {
        let mut stays = input();
        stays.run.choices.read_replicas = ReadReplicas::Stay;

        assert!(!notes(&input()).iter().any(|note| note == REPLICAS_STAY));
        assert!(notes(&stays).iter().any(|note| note == REPLICAS_STAY));
    }

    #[test]
    fn clients_that_cache_a_secret_are_noted() {
        let mut reads = input();
        let secret = pgleap_contract::ClientSecret { secret_id: "arn".to_owned(), from: None, host: None };
        reads.run.clients = Some(pgleap_contract::Clients { secrets: vec![secret], hooks: Vec::new() });

        assert!(!notes(&input()).iter().any(|note| note == CACHED_SECRETS));
        assert!(notes(&reads).iter().any(|note| note == CACHED_SECRETS));
    }

    #[test]
    fn tables_that_are_written_to_all_the_time_are_named_with_what_it_means() {
        let table = |name: &str, changes_per_minute, rows, bytes, has_key| BusyTable {
            table: name.to_owned(),
            changes_per_minute,
            rows,
            bytes,
            has_key,
        };
        let mut busy = input();
        busy.load.busy = vec![
            table("shop.orders", 6_000, 1_000_000, GIB, true),
            table("shop.counters", 1_200, 2, 8_192, true),
            table("shop.clicks", 300, 1_000, 80_000, false),
            table("shop.events", 120, 1_000_000_000, 90 * GIB, false),
        ];

        let [found] = &findings(&busy, &[])[..] else { panic!("one warning") };

        assert_eq!(found.check, BUSY);
        for words in [
            "shop.orders (6000 changes per minute);",
            "shop.counters (1200 changes per minute, in few rows, so it probably cannot be compared)",
            "shop.clicks (300 changes per minute, no primary key)",
            "shop.events (120 changes per minute, no primary key and large, so it probably cannot be compared)",
        ] {
            assert!(found.found.contains(words), "{words} is not in {}", found.found);
        }
        assert!(found.remedy.contains("then the run ends before the cutover"), "{}", found.remedy);
        busy.run.approval.cutover = true;
        assert!(findings(&busy, &[])[0].remedy.contains("then the approval request before the cutover names it"));
    }
}
