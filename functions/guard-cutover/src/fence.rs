//! What the fence would only find out while clients wait.

use pgleap_contract::Generation;
use pgleap_pg::{Session, access};
use pgleap_step_kit::prelude::*;

/// How long a background worker may be in one transaction before it counts, in seconds: launchers of extensions take
/// snapshots all the time, for milliseconds.
const LONGEST_TRANSACTION: f64 = 5.0;

/// Refuse for good: a login that would keep the run's own CONNECT, and a cutover that is decided already.
pub(crate) async fn refuse_what_would_pass(
    source: &Session,
    target: &Session,
    run: &Run,
    generation: Generation,
) -> StepResult<()> {
    let kept = run.kept_by_fence();
    let members = access::members_of(source, &kept.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    if !members.is_empty() {
        let reason = format!(
            "these roles have been granted the run's logins, so the fence would not shut them out: {}; revoke {} \
             from them",
            members.join(", "),
            kept.join(" and ")
        );
        return Err(StepError::new(ErrorCode::CutoverNotSafe, reason));
    }
    for (side, session) in [("source", source), ("target", target)] {
        if let Some(outcome) = access::outcome(session, generation).await? {
            let reason = format!("the cutover is already decided on the {side}: {outcome:?}");
            return Err(StepError::new(ErrorCode::AlreadyBack, reason));
        }
    }
    Ok(())
}

/// Background workers of a superuser, an extension's apply worker say, that neither end nor pause for the fence.
pub(crate) async fn busy_workers(source: &Session) -> StepResult<Vec<String>> {
    let sql = "SELECT format('%s (pid %s, %s)', a.backend_type, a.pid, a.application_name)
               FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
               WHERE r.rolsuper AND a.datid IS NOT NULL AND a.xact_start < clock_timestamp() - make_interval(secs => $1)
                 AND (a.backend_xid IS NOT NULL OR a.backend_xmin IS NOT NULL)
                 AND a.backend_type NOT IN ('client backend', 'parallel worker', 'walsender', 'autovacuum worker')
               ORDER BY a.pid LIMIT 10";
    let rows = source.rows("list background workers", sql, &[&LONGEST_TRANSACTION]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
