//! From what was seen to the report's figures.

use std::net::Ipv4Addr;

use anyhow::Result;
use tokio_postgres::Client;

use crate::catalog::{self, Catalog, SchemaDifference};
use crate::clients::{Kind, Observed, OwnTables, Timeline, Timelines, find_rows, invariants};
use crate::observer::{DrainPoint, FenceTimes};
use crate::report::{ClientsReport, LockOutReport, Outage, OwnTableReport, Refusals, split_outage};
use pgleap_cli::history::History;

/// The part of an outage that only rehearsals have.
pub(crate) const OBSERVER: &str = "the observer, in rehearsals only";

/// The two servers' addresses, by which clients tell them apart.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// The source's.
    pub source: Ipv4Addr,
    /// The target's, if it ever had one.
    pub target: Option<Ipv4Addr>,
}

/// The two servers' host names.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// The source's.
    pub source: String,
    /// The target's, if it is there.
    pub target: Option<String>,
}

impl Addresses {
    /// Whether any client wrote to the target.
    pub fn target_serves(&self, observed: &Observed) -> bool {
        self.target.is_some_and(|target| observed.together.acknowledged.contains_key(&target))
    }

    /// From the last write on the source to the first on the target.
    pub fn outage(&self, timeline: &Timeline) -> Option<f64> {
        timeline.outage(self.source, self.target?)
    }

    /// As failing back sees them: the new server is left, and the old one reached.
    pub fn exchanged(self) -> Option<Self> {
        Some(Self { source: self.target?, target: Some(self.source) })
    }
}

/// Hold every promise against the side that serves now. `cutover` is what all clients saw of the upgrade's. `client` is a
/// superuser's there.
pub async fn of_clients(
    observed: &Observed,
    (cutover, addresses): (&Timeline, Addresses),
    kinds: &[Kind],
    own: &OwnTables,
    client: &Client,
) -> Result<ClientsReport> {
    let found = find_rows(client, kinds, own, &observed.ledger).await?;
    let names = own.names();
    let own_tables = observed.own_writes.iter().filter_map(|(table, writes)| {
        Some(OwnTableReport { table: (*names.get(*table)?).to_owned(), writes: writes.clone() })
    });
    let judgement = observed.ledger.judge(&found);
    let own_schema_only = kinds.contains(&Kind::Probe);
    Ok(ClientsReport {
        acknowledged: observed.ledger.acknowledged(),
        lost: judgement.lost,
        duplicated: judgement.duplicated,
        unknown: observed.ledger.unknown(),
        unknown_happened: judgement.unknown_happened,
        reconnects: observed.reconnects,
        failed_attempts: observed.failed_attempts,
        acknowledged_on_both_sides: addresses.outage(cutover).is_some_and(|seconds| seconds < 0.0),
        faults: observed.faults.clone(),
        examples: judgement.examples.iter().map(|example| named(example, &names)).collect(),
        own_tables: own_tables.collect(),
        tables_not_written: own.not_written.clone(),
        invariants: if own_schema_only { Vec::new() } else { invariants(client).await? },
    })
}

/// `Own(3)` by its name.
fn named(example: &str, names: &[&str]) -> String {
    let number = example.strip_prefix("Own(").and_then(|rest| rest.split_once(')'));
    let named = number.and_then(|(number, rest)| Some(format!("{}{rest}", names.get(number.parse::<usize>().ok()?)?)));
    named.unwrap_or_else(|| example.to_owned())
}

/// The outage and what it is made of.
///
/// The observer's hold happens on the way from `complete` to `open`; nobody but a rehearsal has it.
pub fn of_outage(
    seen: &Timelines,
    addresses: Addresses,
    fence: &FenceTimes,
    drain: Option<&DrainPoint>,
    history: &History,
) -> Outage {
    let together = &seen.together;
    let write_seconds = addresses.outage(together);
    let per_client = |visits: bool| -> Vec<f64> {
        let clients = seen.each.iter().filter(|one| one.visits == visits);
        let mut seconds: Vec<f64> = clients.filter_map(|one| addresses.outage(one)).collect();
        seconds.sort_by(f64::total_cmp);
        seconds
    };
    let (connected_seconds, visiting_seconds) = (per_client(false), per_client(true));
    let span = |address: &Ipv4Addr| together.acknowledged.get(address);
    let made_of = match (span(&addresses.source), addresses.target.as_ref().and_then(span)) {
        (Some(on_source), Some(on_target)) => {
            let left = |state| history.last_visit(state).map(|(_, left)| left);
            let complete = left("CompleteTarget");
            let held = drain.map_or(0.0, |drain| drain.held_milliseconds / 1_000.0);
            let ends = [
                ("fence", left("FenceSource")),
                ("drain (and swap of the record)", left("SwapAndDrain")),
                ("complete", complete),
                (OBSERVER, complete.map(|complete| complete + held)),
                ("open", fence.opened),
                ("dns", addresses.target.and_then(|target| together.first_resolved(target))),
            ];
            split_outage(on_source.last, on_target.first, &ends, "reconnect")
        }
        _ => Vec::new(),
    };
    Outage {
        write_seconds,
        fence_seconds: fence.seconds(),
        longest_client_seconds: connected_seconds.last().copied(),
        connected_seconds,
        visiting_seconds,
        refusals: refusals(together, addresses, fence.opened),
        forecast: None,
        made_of,
        expected_seconds: None,
        longest_other_gap_seconds: together.longest_gap.map(|(seconds, _)| seconds),
        back_seconds: fence
            .fenced
            .zip(fence.unfenced)
            .and_then(|(fenced, unfenced)| Some(together.first_write_since(addresses.source, unfenced)? - fenced)),
        lock_outs: fence
            .lock_outs
            .iter()
            .map(|lock_out| LockOutReport {
                began_at: lock_out.began,
                seconds: lock_out.ended.map(|ended| ended - lock_out.began),
            })
            .collect(),
        refused_again: refused_again(together, addresses),
    }
}

/// A refusal is seen by its client a moment after the server has decided it; in seconds.
const SEEN_LATER: f64 = 0.25;

fn refusals(together: &Timeline, addresses: Addresses, opened: Option<f64>) -> Refusals {
    let of_target = addresses.target.map(|target| together.refused_at(target)).unwrap_or_default();
    let is_late = |at: &&f64| opened.is_some_and(|opened| **at > opened + SEEN_LATER);
    let bounds = of_target.iter().copied().fold(None, |bounds: Option<(f64, f64)>, at| {
        Some(bounds.map_or((at, at), |(first, last)| (first.min(at), last.max(at))))
    });
    let late = of_target.iter().filter(is_late).count();
    Refusals {
        by_source: together.refused_at(addresses.source).len(),
        by_target: of_target.len() - late,
        by_open_target: late,
        target_refused_seconds: bounds.map_or(0.0, |(first, last)| last - first),
    }
}

/// What clients met that one fence and one OPEN do not explain.
fn refused_again(together: &Timeline, addresses: Addresses) -> Vec<String> {
    let mut words = Vec::new();
    let on_source = together.refusals(addresses.source).len();
    if on_source > 1 {
        words.push(format!("the source refused clients in {on_source} separate periods"));
    }
    let on_target = addresses.target.map_or(0, |target| together.refusals_after_writes(target).len());
    if on_target > 0 {
        words.push("the target refused clients after it had acknowledged writes".to_owned());
    }
    words
}

/// What differs between the catalogs that the source had, before the run or under the fence, and a server's now.
/// `client` is a superuser's there.
pub async fn of_schema(mut expected: Catalog, client: &Client) -> Result<Vec<SchemaDifference>> {
    let mut after = catalog::read(client).await?;
    catalog::print_alike(&mut expected, &after, client).await?;
    catalog::normalise(&mut expected, &mut after);
    Ok(catalog::compare(&expected, &after))
}

/// What people changed in the source's catalogs while the run ran, in words.
pub fn of_changes(mut before: Catalog, mut expected: Catalog) -> Vec<String> {
    catalog::normalise(&mut before, &mut expected);
    let changes = catalog::compare(&before, &expected);
    changes.into_iter().map(|change| format!("{} {}: {}", change.kind, change.name, change.fact)).collect()
}
