//! Who else says where the snapshot ends. Neither is believed by itself.

use pgleap_pg::{Lsn, PgErrorKind, Session};
use pgleap_step_kit::prelude::*;

/// A position that the copy names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Witness {
    /// The function that says so.
    pub(crate) name: &'static str,
    /// What it says.
    pub(crate) lsn: Lsn,
    /// It means nothing once the copy has been restarted, and then it may be wrong.
    pub(crate) holds_at_first_start_only: bool,
}

/// RDS's own function. The extension is created for the moment of the question.
/// Source: Amazon RDS user guide, "rds_tools functions reference".
const SEED: &str = "rds_tools.logical_seed_lsn()";
/// PostgreSQL's: how far the recovery of the first start came.
const REPLAYED: &str = "pg_last_wal_replay_lsn()";

/// What each says; one that is missing, or that says nothing, is left out.
pub(crate) async fn ask(owner: &Session) -> StepResult<Vec<Witness>> {
    let witness = |name, holds_at_first_start_only| move |lsn| Witness { name, lsn, holds_at_first_start_only };
    let seed = said(owner, SEED).await?.map(witness(SEED, false));
    let replayed = said(owner, REPLAYED).await?.map(witness(REPLAYED, true));
    Ok([seed, replayed].into_iter().flatten().collect())
}

async fn said(owner: &Session, function: &str) -> StepResult<Option<Lsn>> {
    let doing = "ask where the snapshot ends";
    owner.run(doing, "BEGIN").await?;
    let asked = async {
        if function == SEED {
            owner.run(doing, "CREATE EXTENSION IF NOT EXISTS rds_tools").await?;
        }
        owner.row(doing, &format!("SELECT {function}::text"), &[]).await
    };
    let answer = asked.await;
    if matches!(&answer, Err(error) if error.kind == PgErrorKind::Unreachable) {
        return answer.map(|_row| None).map_err(StepError::from);
    }
    owner.run(doing, "ROLLBACK").await?;
    match answer {
        Ok(row) => Ok(row.get::<_, Option<&str>>(0).and_then(|lsn| lsn.parse().ok())),
        Err(error) => {
            tracing::info!(%error, function, "the function does not report where the snapshot ends");
            Ok(None)
        }
    }
}
