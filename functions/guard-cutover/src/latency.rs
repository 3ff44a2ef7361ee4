//! How fast the target answers, before users meet it: a restored volume may still be loading.

use std::time::Instant;

use pgleap_pg::{Session, marker};
use pgleap_step_kit::metrics::Unit;
use pgleap_step_kit::prelude::*;

/// A commit that waits for the disk, and a read by the functions that warm the target left there; in milliseconds, for the
/// metrics. The read is absent where nothing was warmed.
pub(crate) async fn measure(target: &Session) -> StepResult<Vec<(&'static str, Unit, f64)>> {
    let began = Instant::now();
    marker::write(target, "latency").await?;
    let mut figures = vec![("TargetCommitMilliseconds", Unit::Milliseconds, began.elapsed().as_secs_f64() * 1_000.0)];
    let is_there = "SELECT to_regprocedure('pgleap.read_milliseconds()') IS NOT NULL";
    if target.row("look for the function that measures", is_there, &[]).await?.get(0) {
        let read = target.row("measure a read", "SELECT pgleap.read_milliseconds()", &[]).await?;
        figures.extend(read.get::<_, Option<f64>>(0).map(|took| ("TargetReadMilliseconds", Unit::Milliseconds, took)));
    }
    Ok(figures)
}
