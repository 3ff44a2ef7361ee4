//! The report: what a run did, as seen from outside, in one JSON file. Written after a failure too.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

use crate::catalog::SchemaDifference;
use crate::clients::{Invariant, NotWritten, OwnCounts};
use crate::dump::Restored;
use crate::fail_back::FailBackReport;
use crate::leaks::Secrecy;
use crate::observer::{SequenceComparison, TableComparison, ViewAge};
use crate::propagation::DnsReport;
use pgleap_cli::findings::Preflight;
use pgleap_cli::history::Phase;

/// The whole report.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// `SUCCEEDED`, or `FAILED` if the run failed or anything of the proof did.
    pub status: Status,
    /// What failed; absent if nothing did.
    pub error: Option<Failure>,
    /// What became of the operator's dump; absent if the source is the built-in one.
    pub dump: Option<Restored>,
    /// The folder of the zips that the functions come from; absent where debug builds ran.
    pub functions: Option<PathBuf>,
    /// The machine was to plan only.
    pub plan_only: bool,
    /// What preflight found, and what the plan adds to it.
    pub preflight: Preflight,
    /// What the plan expects: phases, outage, what would be made, cost. Absent if the run did not come to it.
    pub plan: Option<Value>,
    /// The database that was left.
    pub source: Side,
    /// The database that was reached.
    pub target: Side,
    /// What clients felt of the cutover.
    pub outage: Outage,
    /// How the run's changes of the record reached the name servers.
    pub dns: DnsReport,
    /// What clients wrote and what became of it.
    pub clients: ClientsReport,
    /// How tables were compared: at the drain point, or, where a crash prevented that, what was compared instead.
    pub comparison: String,
    /// Tables that no comparison was sound for; the clients' ledger alone speaks for them.
    pub uncompared_tables: Vec<String>,
    /// Every table at the drain point.
    pub tables: Vec<TableComparison>,
    /// Every sequence at the drain point.
    pub sequences: Vec<SequenceComparison>,
    /// Every materialized view of the target.
    pub materialized_views: Vec<ViewAge>,
    /// Objects of the source that the side that serves at the end lacks or has otherwise, and what the run left behind.
    pub schema_differences: Vec<SchemaDifference>,
    /// What the run itself says that it could not finish: no fault of the proof, but seen.
    pub warnings: Vec<Value>,
    /// Which of the source's catalogs they are held against: those under the fence, or those before the run where no
    /// fence was seen.
    pub catalogs_of: String,
    /// What people changed in the source's catalogs from before the run to the fence.
    pub changes_under_run: Vec<String>,
    /// The state machine.
    pub machine: MachineReport,
    /// How the machine that recovers ended, each time that it was started, in that order.
    pub recoveries: Vec<String>,
    /// A person had to mend something, or to start the recovery by hand.
    pub called_person: bool,
    /// Writes that were acknowledged in the last seconds, when everything was over.
    pub last_writes: u64,
    /// What the run took and cost, by its own account: transitions, calls and seconds of functions, hours, US dollars.
    pub cost: Option<Value>,
    /// What its plan expected of the cost.
    pub expected_cost: Option<Value>,
    /// Its phases in order.
    pub phases: Vec<Phase>,
    /// What the run mended: `kind`, `tables`, `before`, `after`, `seconds`.
    pub repairs: Vec<Value>,
    /// Planned trouble whose repair is not among them.
    pub not_mended: Vec<String>,
    /// What the run made and left, or took away, of all that the account and the source's server had before.
    pub left_behind: Vec<String>,
    /// Records that do not lead clients to the side that serves, or have another TTL than before; among `leftBehind` too.
    pub wrong_records: Vec<String>,
    /// What people were told and asked: the subjects of the messages, in order.
    pub told: Vec<String>,
    /// Events of the run on the bus.
    pub events: usize,
    /// News that must have been told and was not.
    pub untold: Vec<String>,
    /// The functions.
    pub lambdas: Vec<LambdaReport>,
    /// Which AWS operations each state's function called: `upgrade/SwapRecord route53:GetChange`, in order, each once.
    pub calls: Vec<String>,
    /// What followed the upgrade while the old server followed the new one; absent if no fail-back path was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_back: Option<FailBackReport>,
    /// The search for secrets where people look.
    pub secrecy: Secrecy,
    /// The planned disturbance, if there was one.
    pub scenario: Option<ScenarioReport>,
}

/// The verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Upgraded and proven.
    Succeeded,
    /// Not so.
    #[default]
    Failed,
}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The word: the machine's error, or `ProofFailed`, or `RehearsalFailed`.
    pub error: String,
    /// The cause, for people.
    pub cause: String,
}

/// One database.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// Engine version as RDS names it.
    pub version: String,
    /// Instance identifier.
    pub instance: String,
}

/// What clients felt of the cutover, in seconds.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outage {
    /// From the last acknowledged write on the source to the first on the target, over all clients.
    pub write_seconds: Option<f64>,
    /// From the moment that applications lost the right to connect to the source to the moment they had it on the
    /// target (or on the source again).
    pub fence_seconds: Option<f64>,
    /// The same as `writeSeconds` for the client that waited longest.
    pub longest_client_seconds: Option<f64>,
    /// The same as `writeSeconds` for each client that keeps its connection.
    pub connected_seconds: Vec<f64>,
    /// The same for each client that opens a connection for every transaction.
    pub visiting_seconds: Vec<f64>,
    /// Connections that were refused for want of CONNECT.
    pub refusals: Refusals,
    /// What the run itself expected at the gate.
    pub forecast: Option<serde_json::Value>,
    /// What `writeSeconds` is made of, in order.
    pub made_of: Vec<Part>,
    /// What the run's plan expected of `writeSeconds`.
    pub expected_seconds: Option<f64>,
    /// The longest time between two acknowledged writes of one client that was not the cutover (the reboot of the
    /// source, if there was one).
    pub longest_other_gap_seconds: Option<f64>,
    /// From the first REVOKE to the first write that the source acknowledged after it was opened again; absent if that
    /// did not happen.
    pub back_seconds: Option<f64>,
    /// Every time that applications could connect to neither side: a run may cause one.
    pub lock_outs: Vec<LockOutReport>,
    /// What clients met that one fence and one OPEN do not explain.
    pub refused_again: Vec<String>,
}

/// Connections that were refused for want of CONNECT.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusals {
    /// By the source, from the fence on.
    pub by_source: usize,
    /// By the target, before it was open.
    pub by_target: usize,
    /// By the target, after it was open: none is expected, beyond a moment.
    pub by_open_target: usize,
    /// From the first to the last of the target's, in seconds.
    pub target_refused_seconds: f64,
}

/// A time in which applications could connect to neither side.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LockOutReport {
    /// Epoch seconds.
    pub began_at: f64,
    /// How long it lasted; absent if it had not ended when the rehearsal ended.
    pub seconds: Option<f64>,
}

/// A part of the outage.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// `fence`, `drain`, `complete`, the observer, `open`, `dns`, `reconnect`.
    pub name: String,
    /// Seconds.
    pub seconds: f64,
}

/// What clients wrote.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientsReport {
    /// Acknowledged writes (transactions).
    pub acknowledged: u64,
    /// Rows that are missing or stale, or that came back.
    pub lost: u64,
    /// Surplus copies of rows.
    pub duplicated: u64,
    /// Writes whose COMMIT got no answer.
    pub unknown: u64,
    /// Those of them that happened.
    pub unknown_happened: u64,
    /// Connections made anew.
    pub reconnects: u64,
    /// Attempts to connect or to write that failed for any reason and were repeated.
    pub failed_attempts: u64,
    /// Writes that the source acknowledged after the target had begun to: must be none.
    pub acknowledged_on_both_sides: bool,
    /// Errors that no maintenance explains, with how often they were seen.
    pub faults: BTreeMap<String, u64>,
    /// The first few wrong rows.
    pub examples: Vec<String>,
    /// What must hold whatever was written.
    pub invariants: Vec<Invariant>,
    /// Writes to the tables of an operator's dump.
    pub own_tables: Vec<OwnTableReport>,
    /// Tables of the dump that clients could not write to, and why.
    pub tables_not_written: Vec<NotWritten>,
}

/// Writes to one table of an operator's dump.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnTableReport {
    /// Schema and name.
    pub table: String,
    /// How many of which kind.
    #[serde(flatten)]
    pub writes: OwnCounts,
}

/// The state machine.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineReport {
    /// State transitions, retries included.
    pub transitions: u64,
    /// From its start to its end, in seconds.
    pub seconds: f64,
    /// `SUCCEEDED`, `FAILED`, `ABORTED`, `TIMED_OUT`.
    pub status: String,
}

/// One function.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LambdaReport {
    /// The step.
    pub name: String,
    /// Most memory that a process of it held, in bytes.
    pub peak_bytes: u64,
}

/// A planned disturbance and whether the run bore it as promised.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScenarioReport {
    /// As given on the command line.
    pub name: String,
    /// What was promised.
    pub promise: String,
    /// What was not kept; empty if all was.
    pub broken: Vec<String>,
}

impl Report {
    /// What of the proof does not hold, in words; empty if all does.
    pub fn faults(&self) -> Vec<String> {
        let clients = &self.clients;
        let views = self.materialized_views.iter().filter(|view| !view.is_fresh());
        let mut faults = self.faults_of_any_run();
        faults
            .extend(some(self.tables.iter().filter(|table| !table.equal).count(), "tables differ at the drain point"));
        faults.extend(self.tables.is_empty().then(|| "no table was compared at the drain point".to_owned()));
        faults.extend(some(
            self.sequences.iter().filter(|sequence| !sequence.past).count(),
            "sequences are behind the source's",
        ));
        faults.extend(some(views.count(), "materialized views are older than the fence"));
        faults.extend(some(self.schema_differences.len(), "objects of the schema differ"));
        faults.extend(
            clients
                .acknowledged_on_both_sides
                .then(|| "a write was acknowledged on the source after the target was open".to_owned()),
        );
        faults.extend(self.not_mended.iter().map(|trouble| format!("{trouble} was planned but not repaired")));
        faults.extend(self.left_behind.iter().cloned());
        faults.extend(self.outage.write_seconds.is_none().then(|| "no client wrote to both sides".to_owned()));
        faults
    }

    /// Note what the run has named as unfinished, and take it out of what differs: a constraint that is not valid, a view that is
    /// older than the fence.
    pub fn take_warnings(&mut self, warnings: &[Value]) {
        let objects: Vec<_> = warnings.iter().filter_map(|warning| warning["object"].as_str()).collect();
        let named = |kind: &str, name: &str| {
            objects.iter().any(|object| object.contains(kind) && object.ends_with(&format!(" {name}")))
        };
        self.schema_differences.retain(|difference| {
            let not_valid = match difference.fact.as_str() {
                "validated" => difference.target.as_deref() == Some("false"),
                "definition" => {
                    difference.target == difference.source.as_ref().map(|source| format!("{source} NOT VALID"))
                }
                _ => false,
            };
            !(not_valid && difference.kind == "constraint" && named("", &difference.name))
        });
        self.materialized_views.retain(|view| view.is_fresh() || !named("materialized view", &view.name));
        self.warnings = warnings.to_vec();
    }

    /// What does not hold of what every run promises, also one that went back.
    pub fn faults_of_any_run(&self) -> Vec<String> {
        let clients = &self.clients;
        let broken = clients.invariants.iter().filter(|invariant| !invariant.holds);
        let mut faults: Vec<String> = self.untold.iter().map(|what| format!("no notification: {what}")).collect();
        faults.extend(some(usize::try_from(clients.lost).unwrap_or(usize::MAX), "rows were lost"));
        faults.extend(some(usize::try_from(clients.duplicated).unwrap_or(usize::MAX), "rows are duplicated"));
        faults.extend(clients.faults.iter().map(|(what, times)| format!("clients got an error {times} times: {what}")));
        faults.extend(broken.map(|invariant| format!("an invariant does not hold: {}", invariant.name)));
        faults.extend(self.secrecy.faults());
        faults.extend(self.outage.faults());
        faults.extend(self.fail_back.iter().flat_map(FailBackReport::faults));
        faults.extend((clients.acknowledged == 0).then(|| "no client could write".to_owned()));
        faults
    }

    /// Whether the run ended with preflight: it was to plan only, or there are blockers.
    pub fn ended_with_preflight(&self) -> bool {
        self.plan_only || self.error.as_ref().is_some_and(|failure| failure.error == "PreflightBlocked")
    }

    /// Write `report.json` into a new folder for this run and let `latest` lead to it.
    pub fn write(&self, folder: &Path, run: &str) -> Result<PathBuf> {
        let own = folder.join(run);
        fs::create_dir_all(&own).with_context(|| format!("create {}", own.display()))?;
        let path = own.join("report.json");
        replace(&path, &serde_json::to_vec_pretty(self).context("write the report as JSON")?)?;
        let (latest, new) = (folder.join("latest"), folder.join("latest.new"));
        let _none_left_behind = fs::remove_file(&new);
        std::os::unix::fs::symlink(run, &new).with_context(|| format!("link {}", new.display()))?;
        fs::rename(&new, &latest).with_context(|| format!("link {}", latest.display()))?;
        Ok(path)
    }
}

impl Outage {
    /// One fence, which ends: nothing else may keep applications out, at any time until the rehearsal ends.
    pub fn faults(&self) -> Vec<String> {
        let lock_outs = &self.lock_outs;
        let more = (lock_outs.len() > 1).then(|| {
            let each = lock_outs.iter().map(|lock_out| match lock_out.seconds {
                Some(seconds) => format!("{seconds:.1} s"),
                None => "until the end".to_owned(),
            });
            format!("neither side was open {} times: {}", lock_outs.len(), each.collect::<Vec<_>>().join(", "))
        });
        let endless = lock_outs.last().is_some_and(|last| last.seconds.is_none());
        let endless = endless.then(|| "neither side is open at the end".to_owned());
        more.into_iter().chain(endless).chain(self.refused_again.iter().cloned()).collect()
    }
}

fn some(count: usize, what: &str) -> Option<String> {
    (count > 0).then(|| format!("{count} {what}"))
}

/// A reader sees the old file or the new one, never half of one.
fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, content).with_context(|| format!("write {}", new.display()))?;
    fs::rename(&new, path).with_context(|| format!("write {}", path.display()))
}

/// Split the outage at the moments that end its parts. A part that ended before the outage began, or after it was
/// over, takes nothing; the last part is what is left.
pub fn split_outage(began: f64, ended: f64, ends: &[(&str, Option<f64>)], last: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut from = began;
    for (name, end) in ends {
        let until = end.unwrap_or(from).clamp(from, ended.max(from));
        parts.push(Part { name: (*name).to_owned(), seconds: until - from });
        from = until;
    }
    parts.push(Part { name: last.to_owned(), seconds: (ended - from).max(0.0) });
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Report {
        let secrecy = Secrecy { secrets: 1, texts: 1, bytes: 1, leaks: Vec::new() };
        let table = TableComparison {
            schema: "s".to_owned(),
            name: "t".to_owned(),
            rows_source: Some(1),
            rows_target: Some(1),
            equal: true,
            differing: Vec::new(),
        };
        let clients = ClientsReport { acknowledged: 1, ..ClientsReport::default() };
        let lock_outs = vec![lock_out(Some(0.5))];
        let outage = Outage { write_seconds: Some(1.0), lock_outs, ..Outage::default() };
        Report { tables: vec![table], clients, outage, secrecy, ..Report::default() }
    }

    fn lock_out(seconds: Option<f64>) -> LockOutReport {
        LockOutReport { began_at: 1.0, seconds }
    }

    #[test]
    fn every_promise_that_is_not_kept_is_named() {
        assert_eq!(good().faults(), Vec::<String>::new());
        type Spoil = fn(&mut Report);
        let cases: &[(Spoil, &str)] = &[
            (|report| report.clients.lost = 2, "2 rows were lost"),
            (|report| report.clients.duplicated = 1, "1 rows are duplicated"),
            (|report| report.secrecy.leaks = vec!["a password is in a log".to_owned()], "a password is in a log"),
            (|report| report.tables[0].equal = false, "1 tables differ at the drain point"),
            (|report| report.tables.clear(), "no table was compared at the drain point"),
            (|report| report.not_mended = vec!["slot-lost".to_owned()], "slot-lost was planned but not repaired"),
            (|report| report.left_behind = vec!["the run left secret s".to_owned()], "the run left secret s"),
            (|report| report.outage.write_seconds = None, "no client wrote to both sides"),
            (|report| report.clients.acknowledged = 0, "no client could write"),
            (
                |report| report.outage.lock_outs = vec![lock_out(Some(0.4)), lock_out(Some(60.2))],
                "neither side was open 2 times: 0.4 s, 60.2 s",
            ),
            (|report| report.outage.lock_outs = vec![lock_out(None)], "neither side is open at the end"),
            (
                |report| report.outage.refused_again = vec!["the source refused clients again".to_owned()],
                "the source refused clients again",
            ),
            (|report| report.secrecy.secrets = 0, "no secret was searched for"),
            (|report| report.secrecy.bytes = 0, "no secret was searched for"),
            (
                |report| report.clients.acknowledged_on_both_sides = true,
                "a write was acknowledged on the source after the target was open",
            ),
            (
                |report| report.clients.faults = [("duplicate key".to_owned(), 3)].into(),
                "clients got an error 3 times: duplicate key",
            ),
        ];
        for (spoil, expected) in cases {
            let mut report = good();
            spoil(&mut report);
            assert_eq!(report.faults(), [*expected]);
        }
    }

    #[test]
    fn the_outage_is_the_sum_of_its_parts() {
        let ends = [("fence", Some(10.5)), ("drain", Some(11.0)), ("open", Some(13.0)), ("dns", None)];

        let parts = split_outage(10.0, 12.0, &ends, "reconnect");

        let seconds: Vec<_> = parts.iter().map(|part| (part.name.as_str(), part.seconds)).collect();
        assert_eq!(seconds, [("fence", 0.5), ("drain", 0.5), ("open", 1.0), ("dns", 0.0), ("reconnect", 0.0)]);
    }

    #[test]
    fn the_fields_have_the_names_that_readers_rely_on() {
        let json = serde_json::to_value(good()).unwrap();

        for pointer in [
            "/status",
            "/error",
            "/source/version",
            "/target/version",
            "/outage/writeSeconds",
            "/outage/fenceSeconds",
            "/dns/propagation",
            "/dns/changes",
            "/clients/acknowledged",
            "/clients/lost",
            "/clients/duplicated",
            "/tables/0/schema",
            "/tables/0/name",
            "/tables/0/rowsSource",
            "/tables/0/rowsTarget",
            "/tables/0/equal",
            "/sequences",
            "/schemaDifferences",
            "/machine/transitions",
            "/machine/seconds",
            "/phases",
            "/repairs",
        ] {
            assert!(json.pointer(pointer).is_some(), "{pointer} is missing");
        }
        assert_eq!(json["status"], "FAILED");
    }

    #[test]
    fn latest_leads_to_the_last_report() {
        let folder = tempfile::tempdir().unwrap();

        good().write(folder.path(), "one").unwrap();
        let mut second = good();
        second.status = Status::Succeeded;
        second.write(folder.path(), "two").unwrap();

        let latest = fs::read_to_string(folder.path().join("latest/report.json")).unwrap();
        assert!(latest.contains("\"SUCCEEDED\""), "{latest}");
    }
}
