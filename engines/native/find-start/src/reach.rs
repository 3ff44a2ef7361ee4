//! Whether the copy reaches the source, before hours go into its upgrade: the subscription will have to, with the same address,
//! login and TLS.

use native_databases::subscription;
use pgleap_pg::{Login, PgErrorKind, Session, ident};
use pgleap_step_kit::prelude::*;

/// By dblink, which RDS has on every major. The extension is created for the moment of the question; where that is refused, the
/// subscription is the first to tell.
pub(crate) async fn prove(owner: &Session, source: &Server, login: &Login) -> StepResult<()> {
    let doing = "check whether the copy can connect to the source";
    let conninfo = subscription::conninfo_of(owner, source, login).await?;
    owner.run(doing, "BEGIN").await?;
    let asked = async {
        owner.run(doing, "CREATE EXTENSION IF NOT EXISTS dblink SCHEMA pgleap").await?;
        let sql = "SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'dblink'";
        let schema = ident(owner.row(doing, sql, &[]).await?.get(0));
        // The password is a parameter, and stands in no statement.
        let connect = format!("SELECT {schema}.dblink_connect('pgleap', $1)");
        owner.rows(doing, &connect, &[&conninfo]).await
    };
    match asked.await {
        // PostgreSQL reports it with a state of class 08, as it would the loss of our own connection.
        Err(error) if error.to_string().contains("could not establish connection") => Err(StepError::new(
            ErrorCode::NetworkBlocked,
            subscription::unreached(subscription::FORWARD, source, &error.to_string()),
        )),
        Err(error) if error.kind == PgErrorKind::Unreachable => Err(error.into()),
        Err(error) => {
            tracing::info!(%error, "the run could not check whether the copy can connect to the source");
            Ok(owner.run(doing, "ROLLBACK").await?)
        }
        Ok(_connected) => Ok(owner.run(doing, "ROLLBACK").await?),
    }
}
