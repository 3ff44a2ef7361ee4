//! The subscription of the old server, by which it follows the new one after OPEN. `run` is the run as failing back sees it: the
//! new server is its source, the old one its target.

use std::time::{Duration, Instant};

use pgleap_contract::{Run, Server};
use pgleap_pg::{PgErrorKind, Session, ident};
use pgleap_step_kit::{Ctx, StepResult};

use crate::subscription::{self, with_names};

/// From which major on a login that is no superuser may own a subscription that somebody else created for it.
const MAY_BE_HANDED_OVER: i32 = 16;
/// RDS grants at once; a server that mirrors the membership of rds_superuser takes a moment.
const PATIENCE: Duration = Duration::from_secs(3);

/// Create it switched off, before the fence, with the owner's login on the old server. It connects to the new server, so this
/// proves the network and the login too. Safe to repeat.
///
/// # Errors
/// `NetworkBlocked` where the old server does not reach the new one; a server refuses, or does not answer.
pub async fn prepare(ctx: &Ctx, run: &Run, new: &Server, old: &Server, owner: &Session) -> StepResult<()> {
    let names = run.names();
    subscription::install(owner, run).await?;
    let role = ident(&names.copy_login());
    let allow =
        format!("GRANT USAGE ON SCHEMA pgleap TO {role}; GRANT EXECUTE ON FUNCTION pgleap.let_follow(name) TO {role}");
    owner.run("let the login follow later", &allow).await?;
    let follower = ctx.connect(run, old, &names.copy_source_secret()).await?;
    subscription::hand_over(&follower, names).await?;
    follower.run("install the functions that follow", &with_names(include_str!("follow.sql"), names)).await?;
    if exists(owner, &names.copy_stream()).await? {
        return Ok(());
    }
    let login = ctx.login(&names.copy_source_secret()).await?;
    if owner.major().await? >= MAY_BE_HANDED_OVER {
        return subscription::create(owner, run, new, &login, None).await;
    }
    let conninfo = subscription::conninfo_of(owner, new, &login).await?;
    owner.run("grant the right to subscribe", &format!("GRANT rds_superuser TO {role}")).await?;
    let answer = create_itself(&follower, &conninfo).await;
    // Whatever came of it: the login has this right for the one statement.
    owner.run("revoke the right to subscribe", &format!("REVOKE rds_superuser FROM {role}")).await?;
    subscription::created(subscription::BACK, new, answer)
}

async fn create_itself(follower: &Session, conninfo: &str) -> Result<(), pgleap_pg::PgError> {
    let began = Instant::now();
    loop {
        match follower.rows("create the subscription", "SELECT pgleap_copy.subscribe($1)", &[&conninfo]).await {
            Err(error) if error.kind == PgErrorKind::Denied && began.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            answer => return answer.map(drop),
        }
    }
}

/// Whether the old server's worker runs, as any login.
///
/// # Errors
/// The old server does not answer.
pub async fn is_running(old: &Session, run: &Run) -> StepResult<bool> {
    let sql = "SELECT count(*) > 0 FROM pg_stat_subscription WHERE subname = $1::text::name AND pid IS NOT NULL";
    Ok(old.row("look for the subscription's worker", sql, &[&run.names().copy_stream()]).await?.get(0))
}

/// Follow from now on, or again, as the working login on the old server. Safe to repeat.
///
/// # Errors
/// `AlreadyBack` while a cutover is undecided or where the old server serves; it does not answer.
pub async fn follow(old: &Session) -> StepResult<()> {
    old.rows("let the old server follow", "SELECT pgleap_copy.follow()", &[]).await?;
    Ok(())
}

/// Drop the run's subscription of this server, as the working login, without a word to the server that it followed. Nothing is
/// to do where there was none.
///
/// # Errors
/// The server does not answer.
pub async fn forget(session: &Session) -> StepResult<()> {
    let known = "SELECT to_regprocedure('pgleap_copy.drop_subscription()') IS NOT NULL";
    if session.row("look for the run's subscription", known, &[]).await?.get(0) {
        session.rows("drop the run's subscription", "SELECT pgleap_copy.drop_subscription()", &[]).await?;
    }
    Ok(())
}

async fn exists(session: &Session, name: &str) -> StepResult<bool> {
    let sql = "SELECT EXISTS (SELECT FROM pg_subscription WHERE subname = $1::text::name)";
    Ok(session.row("look for the subscription", sql, &[&name]).await?.get(0))
}
