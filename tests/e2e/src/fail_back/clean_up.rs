//! What is left on both servers once a fail-back path has been used or closed.

use anyhow::{Context, Result};
use tokio_postgres::Client;

use crate::observer::connect;
use crate::stage::{SOURCE, Stage};

/// What belongs to a run, by its name. The subscription is the only object that belongs to one database of several.
const OF_A_RUN: &str = r"
    SELECT 'schema', nspname::text FROM pg_namespace WHERE nspname ~ '^pgleap'
    UNION ALL SELECT 'role', rolname::text FROM pg_roles WHERE rolname ~ '^pgleap_' AND rolname <> 'pgleap_reader'
    UNION ALL SELECT 'replication slot', slot_name::text FROM pg_replication_slots
    UNION ALL SELECT 'publication', pubname::text FROM pg_publication WHERE pubname ~ '^pgleap'
    UNION ALL SELECT 'subscription', subname::text FROM pg_subscription
    UNION ALL SELECT 'replication origin', roname FROM pg_replication_origin
    UNION ALL SELECT 'event trigger', evtname::text FROM pg_event_trigger WHERE evtname ~ '^pgleap'
    ORDER BY 1, 2";

/// Whether a role may connect, and whether the database is read-only for everybody who sets nothing.
const DOORS: &str = "
    SELECT has_database_privilege($1, current_database(), 'CONNECT'),
           EXISTS (SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
                   WHERE d.datname = current_database() AND s.setrole = 0
                     AND 'default_transaction_read_only=on' = ANY (s.setconfig))";

/// Everything of the run on either server, in words.
pub(super) async fn left_behind(stage: &Stage, target_instance: &str) -> Result<Vec<String>> {
    let mut left = Vec::new();
    for (who, instance) in [("old", SOURCE), ("new", target_instance)] {
        let server = connect(&stage.access(instance)).await?;
        let rows = server.query(OF_A_RUN, &[]).await.with_context(|| format!("look what the {who} server has"))?;
        left.extend(
            rows.iter()
                .map(|row| format!("the {who} server still has {} {}", row.get::<_, &str>(0), row.get::<_, &str>(1))),
        );
    }
    Ok(left)
}

/// The side that nobody uses any more is closed to applications, and retired if it is the old one; the other is open.
pub(super) async fn not_closed(stage: &Stage, target_instance: &str, role: &str, is_back: bool) -> Result<Vec<String>> {
    let old = doors(&connect(&stage.access(SOURCE)).await?, role).await?;
    let new = doors(&connect(&stage.access(target_instance)).await?, role).await?;
    Ok(words(old, new, is_back))
}

/// May connect, is read-only.
type Doors = (bool, bool);

async fn doors(server: &Client, role: &str) -> Result<Doors> {
    let row = server.query_one(DOORS, &[&role]).await.context("look who may connect")?;
    Ok((row.get(0), row.get(1)))
}

fn words(old: Doors, new: Doors, is_back: bool) -> Vec<String> {
    let (serves, (left, left_is_read_only), (open, open_is_read_only)) =
        if is_back { ("old", new, old) } else { ("new", old, new) };
    let other = if is_back { "new" } else { "old" };
    let mut words = Vec::new();
    words.extend((!open).then(|| format!("the {serves} server is closed to applications")));
    words.extend(open_is_read_only.then(|| format!("the {serves} server is read-only")));
    words.extend(left.then(|| format!("the {other} server is open to applications")));
    words.extend((!left_is_read_only).then(|| format!("the {other} server is not read-only")));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_side_is_open_and_the_other_is_closed_and_read_only() {
        const OPEN: Doors = (true, false);
        const RETIRED: Doors = (false, true);
        assert_eq!(words(OPEN, RETIRED, true), Vec::<String>::new());
        assert_eq!(words(RETIRED, OPEN, false), Vec::<String>::new());
        assert_eq!(
            words(OPEN, OPEN, true),
            ["the new server is open to applications", "the new server is not read-only"]
        );
        assert_eq!(words((true, true), RETIRED, true), ["the old server is read-only"]);
        assert_eq!(
            words(RETIRED, RETIRED, false),
            ["the new server is closed to applications", "the new server is read-only"]
        );
    }
}
