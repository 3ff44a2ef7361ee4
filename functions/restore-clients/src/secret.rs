//! One secret: its current version, whichever it is by now, names the source.

use pgleap_clients::{LeadsTo, Moved, Secrets, Way};
use pgleap_step_kit::prelude::*;

/// How often a secret is read again that somebody else changed meanwhile.
const ATTEMPTS: usize = 5;

/// What became of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restored {
    /// It names the source.
    ToSource,
    /// Somebody else has changed it.
    Left,
}

/// Move it back, and outdate what a late call has read.
pub(crate) async fn restore(secrets: &Secrets, way: Way<'_>) -> StepResult<Restored> {
    for _attempt in 0..ATTEMPTS {
        let current = secrets.current(way.secret()).await?;
        match decide(way.leads(&current.host(way.secret())?), way.made(&current)) {
            Verdict::Write => {}
            Verdict::Done => return done(secrets, &way, Restored::ToSource).await,
            Verdict::Leave => {
                let id = &way.secret().secret_id;
                tracing::warn!(
                    id,
                    "the host in the secret is neither the one before the cutover nor the one after it: it stays"
                );
                return done(secrets, &way, Restored::Left).await;
            }
        }
        let staged = secrets.stage(&way, &current).await?;
        if secrets.make_current(&way, &current, &staged).await? == Moved::Done {
            return done(secrets, &way, Restored::ToSource).await;
        }
    }
    let id = &way.secret().secret_id;
    Err(StepError::new(
        ErrorCode::ResourceBusy,
        format!("restore secret {id}: its current version changes all the time"),
    ))
}

/// Also a version that was stored for the switch, and never became current, loses the run's label.
async fn done(secrets: &Secrets, way: &Way<'_>, restored: Restored) -> StepResult<Restored> {
    secrets.forget_label(way).await;
    Ok(restored)
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Write,
    Done,
    Leave,
}

fn decide(leads: LeadsTo, is_ours: bool) -> Verdict {
    match leads {
        LeadsTo::Source if is_ours => Verdict::Done,
        LeadsTo::Source | LeadsTo::Target => Verdict::Write,
        LeadsTo::Elsewhere => Verdict::Leave,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_gets_a_version_of_the_rollback_unless_somebody_else_moved_it() {
        let cases = [
            (LeadsTo::Target, false, Verdict::Write),
            (LeadsTo::Source, false, Verdict::Write),
            (LeadsTo::Source, true, Verdict::Done),
            (LeadsTo::Elsewhere, false, Verdict::Leave),
            (LeadsTo::Elsewhere, true, Verdict::Leave),
        ];
        for (leads, is_ours, expected) in cases {
            assert_eq!(decide(leads, is_ours), expected, "{leads:?} {is_ours}");
        }
    }
}
