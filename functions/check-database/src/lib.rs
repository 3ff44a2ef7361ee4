//! Check the database before anything is changed: find everything in it that would make the run fail or that the run
//! would leave behind.
//!
//! Changes:      nothing
//! Repeatable:   yes
//! If it dies:   nothing has happened
//!
//! A check is a file in `checks`, or in the folder of the copy engine that it concerns: either a query that answers with one row for each offender, or a pure function over a
//! few facts gathered beforehand. A new one is a file (or two, with its `.sql`) and a line in the list there. The catalogs
//! do the work: only offenders travel, and of each check a bounded number, so ten thousand tables fit in a small Lambda.

mod checks;
mod dms;
mod facts;
mod fail_back;
mod generated;
mod holds;
mod native;
mod query;
mod record;
mod survey;

use pgleap_contract::steps::{CheckDatabaseOutput, DatabaseSize, OnSource, SourceLoad};
use pgleap_contract::{CopyEngine, Finding, Findings};
use pgleap_pg::{PgErrorKind, Session};
use pgleap_step_kit::prelude::*;

use checks::Check;
use facts::Facts;
use query::Asked;

/// Log in, gather, judge, answer.
pub async fn run(ctx: &Ctx, input: OnSource) -> StepResult<CheckDatabaseOutput> {
    let Looked { mut findings, size, load } = match log_in(ctx, &input).await? {
        Ok(session) => look(ctx, &input, &session).await?,
        Err(blocker) => Looked { findings: vec![blocker], ..Looked::default() },
    };
    findings.extend(record::check(ctx, &input).await);
    for finding in &findings {
        tracing::info!(check = finding.check, severity = ?finding.severity, found = finding.found, objects = ?finding.objects, "finding");
    }
    Ok(CheckDatabaseOutput { findings: Findings::collect(findings), size, load })
}

/// A login that is refused, or a secret that does not fit, is a finding like any other.
async fn log_in(ctx: &Ctx, input: &OnSource) -> StepResult<Result<Session, Finding>> {
    match ctx.as_owner(&input.run, &input.source).await {
        Ok(session) => Ok(Ok(session)),
        Err(error) => match error.code {
            ErrorCode::DatabaseDenied | ErrorCode::SecretUnusable | ErrorCode::StatementFailed => {
                let remedy = "source.loginSecret must contain the username and password of the database owner";
                Ok(Err(Finding::blocker("login", error.message, remedy)))
            }
            _ => Err(error),
        },
    }
}

/// All that was found.
#[derive(Default)]
struct Looked {
    findings: Vec<Finding>,
    size: DatabaseSize,
    load: SourceLoad,
}

async fn look(ctx: &Ctx, input: &OnSource, session: &Session) -> StepResult<Looked> {
    let began = survey::mark(session).await?;
    let facts = facts::gather(ctx, input, session).await?;
    let asked = Asked::of(&input.run, &facts);
    let changes = survey::changes(session, &asked).await?;
    let mut findings = Vec::new();
    findings.extend(ask(session, &facts, &asked, checks::ALL).await?);
    findings.extend(or_unseen(generated::ID, generated::check(session, &asked).await)?);
    findings.extend(or_unseen(holds::ID, holds::check(session, &asked).await)?);
    if input.run.fail_back.is_some() {
        findings.extend(fail_back::look(session, &facts, &asked).await?);
    }
    let copy = &input.run.copy;
    let mut longest = Vec::new();
    for engine in copy.candidates() {
        let mut found = ask(session, &facts, &asked, checks_of(engine)).await?;
        if engine == CopyEngine::Dms {
            let (more, values) = dms::look(session, &asked, &copy.dms).await?;
            found.extend(more);
            longest = values;
        }
        findings.extend(found.into_iter().map(|finding| finding.concerning(engine, copy)));
    }
    let load = SourceLoad {
        index_bytes: survey::index_bytes(session, &asked).await?,
        wal_bytes_per_second: survey::wal_rate(session, &began).await?,
        logical: facts.server.wal_level == "logical",
        longest,
        busy: survey::busy(session, &asked, &changes).await?,
    };
    Ok(Looked { findings, size: facts.size, load })
}

fn checks_of(engine: CopyEngine) -> &'static [Check] {
    match engine {
        CopyEngine::Dms => dms::CHECKS,
        CopyEngine::Native => native::CHECKS,
        #[allow(unreachable_patterns, reason = "an engine without checks of its own")]
        _ => &[],
    }
}

async fn ask(session: &Session, facts: &Facts, asked: &Asked, checks: &[Check]) -> StepResult<Vec<Finding>> {
    let mut findings = Vec::new();
    for check in checks {
        match check {
            Check::Facts(judge) => findings.extend(judge(facts)),
            Check::Query(query) => findings.extend(or_unseen(query.id, query.ask(session, asked).await)?),
            Check::List(query) => findings.extend(or_unseen(query.id, query.ask_together(session, asked).await)?),
        }
    }
    Ok(findings)
}

/// A check whose query is refused is a finding, so that one report names everything; a lost connection fails the step.
fn or_unseen(id: &str, answer: Result<Vec<Finding>, pgleap_pg::PgError>) -> StepResult<Vec<Finding>> {
    match answer {
        Ok(findings) => Ok(findings),
        Err(error) if error.kind == PgErrorKind::Unreachable => Err(error.into()),
        Err(error) => Ok(vec![Finding::blocker(
            "not-seen",
            format!("preflight could not run check {id}: {error}"),
            "give the login the missing privilege",
        )]),
    }
}
