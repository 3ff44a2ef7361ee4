//! Attributes of logins that follow from a membership, because a patched PostgreSQL knows no such attribute.
//!
//! Plain PostgreSQL does not inherit attributes, so they are given and taken here: REPLICATION to members of
//! `rds_replication`, and up to 15 SUPERUSER to members of `rds_superuser`, because only a superuser can create a
//! subscription there. The master user is left alone: what it may not do on RDS is what a run has to cope with. No event
//! trigger sees a `GRANT role` (they do not fire for shared objects), so the memberships are polled many times a second.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use local_aws_postgres::{ADMIN, Cluster, Error, Result, connect};
use tokio_postgres::{Client, Config, Statement};

use crate::roles::{ADMIN_DATABASE, execute};
use crate::service::Shared;

/// Below the time in which a client that was granted a role makes a new connection. Real time, not AWS's.
const POLL: Duration = Duration::from_millis(50);

/// From this major on a role can be granted that creates subscriptions.
const SUBSCRIPTIONS_WITHOUT_SUPERUSER: u16 = 16;

const DIFFERING_REPLICATION: &str = "SELECT quote_ident(rolname), rolreplication FROM pg_roles
    WHERE rolcanlogin AND NOT rolsuper AND rolreplication <> pg_has_role(oid, 'rds_replication', 'member')";

/// pg_has_role says yes to every superuser, so the memberships are followed by hand.
const SUPERUSERS_AND_MEMBERS: &str = "WITH RECURSIVE members AS (
        SELECT member FROM pg_auth_members WHERE roleid = 'rds_superuser'::regrole
        UNION SELECT next.member FROM pg_auth_members next JOIN members ON next.roleid = members.member)
    SELECT r.oid, quote_ident(r.rolname), r.rolsuper, m.member IS NOT NULL
    FROM pg_roles r LEFT JOIN members m ON m.member = r.oid
    WHERE r.rolcanlogin AND r.rolname NOT IN ($1, $2) AND (r.rolsuper OR m.member IS NOT NULL)";

impl Shared {
    /// Keep the attributes in step with the memberships for as long as this start of the server lasts.
    pub(crate) fn watch_roles(&self, resource_id: &str, cluster: &Arc<Cluster>) {
        let Some(master) = self.with_instance(resource_id, |instance| instance.master_username.clone()) else { return };
        let mut config = cluster.admin_config();
        config.dbname(ADMIN_DATABASE);
        let major = cluster.major();
        tokio::spawn(async move {
            if let Err(error) = keep_in_step(config, major, &master).await {
                tracing::debug!(%error, "the watch of role memberships ended with its server");
            }
        });
    }
}

async fn keep_in_step(config: Config, major: u16, master: &str) -> Result<()> {
    let client = connect(&config).await?;
    let replication = client.prepare(DIFFERING_REPLICATION).await.map_err(unread)?;
    let superusers = client.prepare(SUPERUSERS_AND_MEMBERS).await.map_err(unread)?;
    let mut lent = HashSet::new();
    loop {
        for row in client.query(&replication, &[]).await.map_err(unread)? {
            let (login, replicates): (String, bool) = (row.get(0), row.get(1));
            let attribute = if replicates { "NOREPLICATION" } else { "REPLICATION" };
            execute(&client, &format!("ALTER ROLE {login} {attribute}")).await?;
        }
        lend_superuser(&client, &superusers, major, master, &mut lent).await?;
        tokio::time::sleep(POLL).await;
    }
}

/// `lent` holds the logins that are superusers because of their membership. A superuser that a test made is none of them.
async fn lend_superuser(
    client: &Client,
    query: &Statement,
    major: u16,
    master: &str,
    lent: &mut HashSet<u32>,
) -> Result<()> {
    for row in client.query(query, &[&ADMIN, &master]).await.map_err(unread)? {
        let (oid, login, is_superuser, is_member): (u32, String, bool, bool) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        if is_member {
            // Also one that was lent it before a restart, a restore or an upgrade.
            lent.insert(oid);
        }
        let is_due = is_member && major < SUBSCRIPTIONS_WITHOUT_SUPERUSER;
        if is_due != is_superuser && lent.contains(&oid) {
            let attribute = if is_due { "SUPERUSER" } else { "NOSUPERUSER" };
            execute(client, &format!("ALTER ROLE {login} {attribute}")).await?;
        }
    }
    Ok(())
}

fn unread(source: tokio_postgres::Error) -> Error {
    Error::Sql { what: "read role memberships".to_owned(), source }
}
