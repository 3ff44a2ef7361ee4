//! The publication on the source: a list of tables, never all of them, because a table that somebody makes later would fail its
//! own applications if its old rows could not be told apart.

use pgleap_contract::ErrorCode;
use pgleap_pg::{Session, ident, literal, qualified};
use pgleap_step_kit::{StepError, StepResult};

/// What is published.
pub const TABLES: &str = include_str!("tables.sql");
const UNIDENTIFIED: &str = include_str!("unidentified.sql");

/// How long a table may keep us waiting for its lock: others queue behind us.
const LOCK_TIMEOUT_MS: u32 = 2_000;

/// Create it if it does not exist, as the owner of the tables, in one transaction with the proof that no application will be
/// refused an update because of it. A call that arrives after the run's schema is gone creates none.
///
/// # Errors
/// `PreflightBlocked` with the tables whose old rows cannot be told apart; a table is locked; not the tables' owner.
pub async fn ensure(owner: &Session, run: &str, name: &str) -> StepResult<()> {
    let known = "SELECT EXISTS (SELECT FROM pg_publication WHERE pubname = $1::text::name)";
    if owner.row("look for the publication", known, &[&name]).await?.get(0) {
        return Ok(());
    }
    let tables = owner.rows("list the tables", TABLES, &[]).await?;
    let tables: Vec<String> = tables
        .iter()
        .map(|row| {
            // A partitioned table has no rows of its own; a parent of the older kind has, and its children are listed themselves.
            let only = if row.get(2) { "" } else { "ONLY " };
            format!("{only}{}", qualified(row.get(0), row.get(1)))
        })
        .collect();
    let create = format!(
        "BEGIN; SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS};
         SELECT 1 / count(*) FROM pgleap.run WHERE id = {}; -- fails where the run is over
         CREATE PUBLICATION {} FOR TABLE {} WITH (publish_via_partition_root = true)",
        literal(run),
        ident(name),
        tables.join(", ")
    );
    owner.run("create the publication", &create).await?;
    let unidentified = owner.rows("list tables without a replica identity", UNIDENTIFIED, &[&name]).await?;
    if !unidentified.is_empty() {
        owner.run("roll back the publication", "ROLLBACK").await?;
        let named: Vec<String> = unidentified.iter().map(|row| row.get(0)).collect();
        let message = format!(
            "publish changes: PostgreSQL would refuse updates and deletes in these tables, or could not apply them, \
             because it cannot identify the rows: {}",
            named.join(", ")
        );
        return Err(StepError::new(ErrorCode::PreflightBlocked, message));
    }
    Ok(owner.run("commit the publication", "COMMIT").await?)
}

/// What a server has of the stream: how many tables, and a hash of their names. The same on both sides, or a table is missing.
pub type Relations = (i64, Option<String>);

const PUBLISHED: &str =
    "SELECT count(*), md5(string_agg(format('%I.%I', n.nspname, c.relname), ',' ORDER BY n.nspname, c.relname))
    FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
    JOIN pg_catalog.pg_class c ON c.oid = r.prrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE p.pubname = $1::text::name";
/// By the view of statistics: 13 shows the catalog's oid to nobody. A run's name is in one database of a server.
const SUBSCRIBED: &str =
    "SELECT count(*), md5(string_agg(format('%I.%I', n.nspname, c.relname), ',' ORDER BY n.nspname, c.relname))
    FROM (SELECT DISTINCT s.subid FROM pg_catalog.pg_stat_subscription s WHERE s.subname = $1::text::name) s
    JOIN pg_catalog.pg_subscription_rel r ON r.srsubid = s.subid AND r.srsubstate = 'r'
    JOIN pg_catalog.pg_class c ON c.oid = r.srrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";

/// Of the publication on the source.
///
/// # Errors
/// The source does not answer.
pub async fn published(source: &Session, name: &str) -> StepResult<Relations> {
    let row = source.row("read what is published", PUBLISHED, &[&name]).await?;
    Ok((row.get(0), row.get(1)))
}

/// Of the subscription on the target.
///
/// # Errors
/// The target does not answer.
pub async fn subscribed(target: &Session, name: &str) -> StepResult<Relations> {
    let row = target.row("read what is subscribed", SUBSCRIBED, &[&name]).await?;
    Ok((row.get(0), row.get(1)))
}
