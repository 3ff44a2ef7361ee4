//! Prepare the source: create everything that must exist before the snapshot, so that the copy has it too. This is: two
//! logins of the run, a schema with the marker table and the functions of the fence, the replica identity of tables
//! without a key, and last, a record of the catalogs.
//!
//! Changes:      source (roles of the run and what is granted to them; schema `pgleap`; the replica identity of tables
//!               without a key, saved first: by choice, or where a unique index serves native replication), AWS (three secrets, tagged with the run)
//! Repeatable:   yes; what is there is left alone, a password is set only where a login does not work
//! If it dies:   what was made stays and is found again; nothing of it is in the way of applications

mod keyless;
mod logins;
mod rights;
mod schema;
mod secrets;

use pgleap_contract::steps::{NoOutput, OnSource};
use pgleap_pg::{Session, access, fingerprint};
use pgleap_step_kit::prelude::*;

/// Make what is missing, in an order in which each part needs only what stands before it.
pub async fn run(ctx: &Ctx, input: OnSource) -> StepResult<NoOutput> {
    let (run, source) = (&input.run, &input.source);
    let names = run.names();
    let owner = ctx.as_owner(run, source).await?;
    check_server(&owner).await?;
    schema::check_ours(&owner, run).await?;

    let logins = secrets::ensure(ctx, run, source).await?;
    secrets::keep_owner(ctx, run).await?;
    logins::ensure(&owner, run, source, &logins).await?;
    schema::ensure(&owner, run).await?;
    access::install(&owner, &names.work_login()).await?;
    rights::ensure(&owner, run).await?;
    logins::prove(ctx, &owner, run, source, &logins).await?;
    logins::prove_copy_settings(ctx, run, source, &logins).await?;
    keyless::log_old_rows(&owner, run).await?;
    let (skipped, ignored) = (&run.choices.as_of_snapshot_schemas, &run.choices.ignored_roles);
    fingerprint::take(&owner, skipped, ignored, &names.work_login()).await?;
    if run.copy.engine.traits().keeps_rows_of_snapshot {
        // A rewrite of rows is in no change that is sent, so it is looked for from before the snapshot on.
        fingerprint::take_filenodes_once(&owner).await?;
    }
    Ok(NoOutput {})
}

/// The API says what is wanted, the server what is so. How long a silent walsender lives is the copy login's own setting.
/// Source: Amazon RDS user guide, "Performing logical replication for Amazon RDS for PostgreSQL".
async fn check_server(owner: &Session) -> StepResult<()> {
    let row = owner.row("read the server's settings", "SELECT current_setting('wal_level')", &[]).await?;
    match row.get::<_, &str>(0) {
        "logical" => Ok(()),
        wal_level => Err(StepError::new(
            ErrorCode::InstanceFailed,
            format!(
                "prepare source: wal_level is {wal_level}, although the parameter group has rds.logical_replication = \
                 1; the source may have to be rebooted"
            ),
        )),
    }
}
