//! The watch on the source's changes (`pgleap_pg::watch`), as steps read it: in bounded calls while the copy goes on, and to
//! its end under the fence. Only where the copy engine drops changes without a word; else there is none.
//!
//! The run's working login reads it: it may replicate, it may read the tables that must be asked, and it still connects under
//! the fence.

use std::time::{Duration, Instant};

use pgleap_contract::{ErrorCode, Run, Server};
use pgleap_pg::watch::{self, Before};
use pgleap_pg::{Lsn, PgErrorKind, Session, slot, slots};

use crate::{Ctx, Deadline, StepError, StepResult};

const GB: i64 = 1_000_000_000;

/// How long a call reads.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// After this no further piece is begun.
    pub reading: Duration,
    /// No statement takes longer: a call that died lets go of the slot by then.
    pub statement: Duration,
    /// A load may be about to begin.
    pub loads: bool,
}

impl Pace {
    /// For a step whose function lives for so long.
    pub const fn of(life: Duration) -> Self {
        let seconds = life.as_secs();
        let reading = if seconds / 3 < 60 { seconds / 3 } else { 60 };
        Self { reading: Duration::from_secs(reading), statement: Duration::from_secs(seconds * 2 / 3), loads: false }
    }
}

/// Read on, and refuse to go on with what DMS does not carry, or without a watch. Answers how many bytes are left to read.
pub async fn keep_up(ctx: &Ctx, run: &Run, source: &Server, pace: Pace) -> StepResult<u64> {
    if !run.copy.engine.traits().drops_changes_silently {
        return Ok(0);
    }
    let session = ctx.as_work(run, source).await?;
    let slot = run.names().watch_slot();
    let milliseconds = pace.statement.as_millis();
    session.run("limit the time of a statement", &format!("SET statement_timeout = {milliseconds}")).await?;
    let upto = refuse_lost(&slot::look(&session, &slot).await?, &slot)?;
    // Looked at after the position was: a slot of DMS that comes later begins behind it.
    let is_loaded_later = pace.loads && !slots::look(&session).await?.exists;
    let before = if is_loaded_later { Before::TheLoad } else { Before::Nothing };
    let left = watch::read(&session, &slot, upto, before, pace.reading).await?;
    refuse_found(&session).await?;
    refuse_too_much(&session, &slot, run).await?;
    Ok(left)
}

/// Under the fence, after its proof and after a commit that is on disk: read to the end, within the deadline. `session` is
/// the working login's, and ends its statements at the deadline.
pub async fn read_to_the_end(session: &Session, run: &Run, deadline: &Deadline) -> StepResult<()> {
    if !run.copy.engine.traits().drops_changes_silently {
        return Ok(());
    }
    let slot = run.names().watch_slot();
    let doing = "read the last changes of the source";
    let upto = refuse_lost(&slot::look(session, &slot).await?, &slot)?;
    loop {
        let left = match watch::read_last(session, &slot, upto, deadline.remaining()).await {
            Ok(0) => return refuse_found(session).await,
            Ok(left) => format!("{left} bytes are left"),
            // An earlier call still reads the slot.
            Err(error) if error.kind == PgErrorKind::Busy => {
                session.run(doing, "ROLLBACK").await?;
                error.to_string()
            }
            Err(error) => return Err(error.into()),
        };
        deadline.pause(doing, &left).await?;
    }
}

/// Answers where the source writes.
fn refuse_lost(state: &slot::State, slot: &str) -> StepResult<Lsn> {
    let reason = match state {
        slot::State { confirmed: Some(_), written: Some(written), .. } => return Ok(*written),
        slot::State { is_lost: true, .. } => "the source no longer keeps WAL for it",
        slot::State { exists: true, .. } => "its creation did not finish",
        slot::State { exists: false, .. } => "it does not exist",
    };
    let message = format!("read the changes of the source: replication slot {slot} cannot be read: {reason}");
    Err(StepError::new(ErrorCode::WatchLost, message))
}

async fn refuse_found(session: &Session) -> StepResult<()> {
    let found = watch::found(session).await?;
    if found.is_empty() {
        return Ok(());
    }
    let message = format!("the source was changed in a way that DMS does not replicate: {}", found.join("; "));
    Err(StepError::new(ErrorCode::ChangeNotCarried, message))
}

/// The source's disk is worth more than the watch: it is dropped here, and the run ends, because nothing is seen any more.
async fn refuse_too_much(session: &Session, slot: &str, run: &Run) -> StepResult<()> {
    let retained = slot::look(session, slot).await?.retained_bytes;
    if retained <= i64::from(run.limits.max_retained_wal_gb) * GB {
        return Ok(());
    }
    slot::drop(session, slot).await?;
    let message = format!(
        "watch the source: it kept {:.1} GB of WAL for slot {slot}, more than limits.maxRetainedWalGb ({}), so the slot was dropped",
        retained as f64 / GB as f64,
        run.limits.max_retained_wal_gb
    );
    Err(StepError::new(ErrorCode::TooMuchWal, message))
}

/// Make the slot, or wait for it; none once it is there, or where the engine needs no watch. Answers what is waited for.
pub async fn arm(ctx: &Ctx, run: &Run, source: &Server) -> StepResult<Option<String>> {
    if !run.copy.engine.traits().drops_changes_silently {
        return Ok(None);
    }
    make_slot(ctx, run, source, &run.names().watch_slot(), "test_decoding").await
}

/// Make a slot of the run on the source, or wait for it; none once it is there. Answers what is waited for.
pub async fn make_slot(ctx: &Ctx, run: &Run, source: &Server, name: &str, plugin: &str) -> StepResult<Option<String>> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let began = Instant::now();
    loop {
        if slot::make(ctx.as_work(run, source).await?, name, plugin).await? == slot::Making::Done {
            return Ok(None);
        }
        if began.elapsed() > PATIENCE {
            return Ok(Some(format!("replication slot {name} waits for transactions that are open on the source")));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
