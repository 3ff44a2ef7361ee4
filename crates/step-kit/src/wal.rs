//! WAL piles up on the source behind the run's slot for as long as DMS is behind. The source's disk is worth more than
//! the run.

use pgleap_contract::{ErrorCode, Limits};
use pgleap_pg::{Session, slots};

use crate::{StepError, StepResult};

const GB: i64 = 1_000_000_000;

/// Refuse to go on once the source keeps more than the run may cost it.
pub async fn refuse_too_much_wal(source: &Session, limits: &Limits) -> StepResult<slots::Slot> {
    let slot = slots::look(source).await?;
    judge(slot.retained_bytes, limits)?;
    Ok(slot)
}

fn judge(retained_bytes: i64, limits: &Limits) -> StepResult<()> {
    if retained_bytes <= i64::from(limits.max_retained_wal_gb) * GB {
        return Ok(());
    }
    Err(StepError::new(
        ErrorCode::TooMuchWal,
        format!(
            "watch the source: it keeps {:.1} GB of WAL for the run's slot, more than limits.maxRetainedWalGb ({})",
            retained_bytes as f64 / GB as f64,
            limits.max_retained_wal_gb
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_gives_up_above_its_limit() {
        let limits = Limits { max_retained_wal_gb: 2, ..Limits::default() };
        for (bytes, good) in [(0, true), (2 * GB, true), (2 * GB + 1, false)] {
            assert_eq!(judge(bytes, &limits).is_ok(), good, "{bytes}");
        }
        let message = judge(3 * GB, &limits).expect_err("too much").message;
        assert!(message.contains("keeps 3.0 GB of WAL"), "{message}");
    }
}
