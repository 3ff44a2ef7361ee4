//! Isolate the target: until OPEN, the copy must not act on other systems, and nobody but the run may use it.
//!
//! Changes:      target (CONNECT of everybody but the run's logins and the owner, sessions, replication slots,
//!               subscriptions switched off)
//! Repeatable:   yes; what may connect is saved by the first call only
//! If it dies:   called again; the copy has no clients of its own yet

use pgleap_contract::Generation;
use pgleap_contract::steps::{NoOutput, OnBoth};
use pgleap_pg::{Session, access, ident};
use pgleap_step_kit::prelude::*;

/// Keep applications out, drop what would stop the upgrade, prove it.
pub async fn run(ctx: &Ctx, input: OnBoth) -> StepResult<Polled<NoOutput>> {
    let run = &input.run;
    let names = run.names();
    let owner = match ctx.as_target_owner(run, &input.target).await {
        Ok(session) => session,
        // The first start after a restore recovers; a new name takes a moment to resolve.
        Err(error) if error.code == ErrorCode::DatabaseUnreachable => return Ok(Polled::Waiting(error.message)),
        Err(error) => return Err(error),
    };
    let owner_login = ctx.login(&run.source.login_secret).await?.username;
    let kept = run.kept_by_fence();
    let keep: Vec<&str> = kept.iter().map(String::as_str).chain([owner_login.as_str()]).collect();

    access::install(&owner, &names.work_login()).await?;
    access::shut_copy(&owner, Generation::FORWARD, &keep).await?;
    access::end_others(&owner, &keep).await?;
    disable_subscriptions(&owner).await?;
    drop_slots(ctx, run, &input.target, &owner).await?;
    let others = access::others(&owner, &keep).await?;
    if others.none() {
        Ok(Polled::Done(NoOutput {}))
    } else {
        Ok(Polled::Waiting(format!("other sessions are still connected to the copy: {others:?}")))
    }
}

/// A copied subscription would take what its publisher holds back for the original. Preflight refuses a source that has
/// one in this database, and the quiet parameter group starts no worker; this is for the others.
async fn disable_subscriptions(owner: &Session) -> StepResult<()> {
    let sql = "SELECT s.subname, d.datname = current_database() FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE s.subenabled";
    let found = owner.rows("list subscriptions", sql, &[]).await?;
    let workers: i32 = owner
        .row(
            "read max_logical_replication_workers",
            "SELECT current_setting('max_logical_replication_workers')::int",
            &[],
        )
        .await?
        .get(0);
    for row in found {
        let (name, here): (&str, bool) = (row.get(0), row.get(1));
        if here {
            owner
                .run(&format!("disable subscription {name}"), &format!("ALTER SUBSCRIPTION {} DISABLE", ident(name)))
                .await?;
        } else if workers > 0 {
            let reason = format!(
                "isolate target: subscription {name} of another database can start, because \
                 max_logical_replication_workers is {workers}"
            );
            return Err(StepError::new(ErrorCode::InstanceFailed, reason));
        }
    }
    Ok(())
}

/// A snapshot brings the slots along. They hold WAL back for nobody, and RDS upgrades no instance that has one.
/// The copy login may replicate, and so drop slots; the owner may not, unless it is the master user.
/// Source: Amazon RDS user guide, "How to perform a major version upgrade for RDS for PostgreSQL".
async fn drop_slots(ctx: &Ctx, run: &Run, target: &Server, owner: &Session) -> StepResult<()> {
    let count = "SELECT count(*) FROM pg_replication_slots";
    if owner.row("count replication slots", count, &[]).await?.get::<_, i64>(0) == 0 {
        return Ok(());
    }
    let copy = ctx.connect(run, target, &run.names().copy_source_secret()).await?;
    copy.rows("drop replication slots", "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots", &[])
        .await?;
    match owner.row("count replication slots", count, &[]).await?.get::<_, i64>(0) {
        0 => Ok(()),
        left => Err(StepError::new(ErrorCode::ResourceBusy, format!("drop replication slots: {left} are left"))),
    }
}
