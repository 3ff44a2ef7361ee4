//! A copy by logical replication in a plan: it needs no AWS resources, and its duration grows with what was written meanwhile.

use pgleap_contract::Phase;
use pgleap_contract::steps::{PlanRunInput, PlannedPhase};

use crate::rates::Rates;

/// What the source wrote from the publication on, applied. The phases up to there keep their WAL.
pub(crate) fn catch_up(input: &PlanRunInput, rates: &Rates, before: &[PlannedPhase]) -> f64 {
    let since = before.iter().skip_while(|phase| phase.name != Phase::PrepareSource.name());
    let seconds: f64 = since.map(|phase| phase.seconds).sum();
    let written = input.load.wal_bytes_per_second as f64;
    // What is written while it catches up has to be caught up with too.
    let spare = (rates.apply_bytes_per_second - written).max(rates.apply_bytes_per_second / 10.0);
    written * seconds / spare
}
