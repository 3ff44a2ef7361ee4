//! The comparison after a crash: the snapshots of the drain point ended with a server, so new ones are opened, and it is
//! said what they can still show.
//!
//! The source must still be fenced, so that it stands where it stood. A target that is not open yet stands there too. One
//! that is open has been written to: then only tables that nobody wrote to since before the run can be compared, and
//! sequences, which only go on.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use tokio_postgres::Client;

use super::drain::{DrainPoint, ready, ready_for_catalogs, snapshot};
use super::{Access, connect, rows, sequences, views};
use crate::catalog;
use crate::clients::now;

type Name = (String, String);
/// Rows written to each table, as the source's statistics count them.
type Activity = BTreeMap<Name, i64>;

/// Both sides, and what the source was like before clients wrote.
pub(super) struct Beside {
    pub(super) source: Access,
    pub(super) target: Access,
    pub(super) major: u16,
    before: Activity,
}

/// Everybody who may connect and is neither the run's nor a superuser, as of the session's snapshot.
const DOORS: &str = "
    SELECT count(*) FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS grants
    WHERE d.datname = current_database() AND grants.privilege_type = 'CONNECT'
      AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = grants.grantee AND (r.rolsuper OR r.rolname LIKE 'pgleap\\_%'))";

const ACTIVITY: &str =
    "SELECT schemaname::text, relname::text, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables";

impl Beside {
    pub(super) async fn begin(source: Access, target: Access, major: u16) -> Result<Self> {
        let before = activity(&connect(&source).await?).await?;
        Ok(Self { source, target, major, before })
    }

    /// Compare from new snapshots; `None` where there is no fenced source and upgraded target.
    pub(super) async fn compare_afresh(&self, why: &str) -> Result<Option<DrainPoint>> {
        let Some(target) = (self.target)() else { return Ok(None) };
        let (source, catalogs) = (ready(&self.source).await?, ready_for_catalogs(&self.source).await?);
        tokio::try_join!(snapshot(&source), snapshot(&catalogs))?;
        if !is_shut(&source).await? {
            return Ok(None);
        }
        drop(target);
        let target = ready(&self.target).await?;
        snapshot(&target).await?;
        ensure!(major_of(&target).await? == self.major, "the target is not upgraded");
        let target_is_shut = is_shut(&target).await?;
        let written = match target_is_shut {
            true => BTreeSet::new(),
            false => written(&self.before, &activity(&source).await?),
        };
        let tables = rows::compare(&source, &target, &written).await?;
        let (ours, theirs) = tokio::try_join!(sequences::read(&source), sequences::read(&target))?;
        let views = if target_is_shut { views::at_drain(&target).await? } else { Vec::new() };
        Ok(Some(DrainPoint {
            at: now(),
            held_milliseconds: 0.0,
            comparison: words(why, target_is_shut, tables.len()),
            tables,
            sequences: sequences::compare(&ours, &theirs),
            views,
            catalog: Some(catalog::read_prepared(&catalogs).await?),
            uncompared: written.into_iter().map(|(schema, table)| format!("{schema}.{table}")).collect(),
        }))
    }
}

/// Tables that somebody wrote to. A crash forgets the statistics: then it may have been every one.
fn written(before: &Activity, now: &Activity) -> BTreeSet<Name> {
    let count = |activity: &Activity, name: &Name| activity.get(name).copied().unwrap_or_default();
    let forgotten = before.keys().any(|name| now.contains_key(name) && count(now, name) < count(before, name));
    let is_written = |name: &&Name| forgotten || !before.contains_key(*name) || count(now, name) != count(before, name);
    now.keys().filter(is_written).cloned().collect()
}

fn words(why: &str, target_is_shut: bool, tables: usize) -> String {
    match target_is_shut {
        true => format!("{why}; compared again while the source was fenced and the target was not open yet"),
        false => format!(
            "{why}; compared again with the fenced source after the target was open, and only the {tables} tables that nobody wrote to"
        ),
    }
}

async fn activity(client: &Client) -> Result<Activity> {
    let rows = client.query(ACTIVITY, &[]).await.context("read the statistics of tables")?;
    Ok(rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect())
}

/// Whether no application may connect, as of the session's snapshot.
pub(super) async fn is_shut(client: &Client) -> Result<bool> {
    let doors: i64 = client.query_one(DOORS, &[]).await.context("look who may connect")?.get(0);
    Ok(doors == 0)
}

pub(super) async fn major_of(client: &Client) -> Result<u16> {
    let sql = "SELECT current_setting('server_version_num')::int / 10000";
    let major: i32 = client.query_one(sql, &[]).await.context("ask for the version")?.get(0);
    Ok(u16::try_from(major)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(counts: &[(&str, i64)]) -> Activity {
        counts.iter().map(|(table, count)| (("s".to_owned(), (*table).to_owned()), *count)).collect()
    }

    #[test]
    fn a_table_is_compared_on_an_open_target_only_if_nobody_wrote_to_it() {
        let before = activity(&[("quiet", 10), ("busy", 10), ("empty", 0), ("gone", 5)]);
        let names = |now: &[(&str, i64)]| -> Vec<String> {
            written(&before, &activity(now)).into_iter().map(|(_, table)| table).collect()
        };

        assert_eq!(names(&[("quiet", 10), ("busy", 11), ("empty", 0), ("new", 0)]), ["busy", "new"]);
        // After a crash of the source nothing is known.
        assert_eq!(names(&[("quiet", 0), ("busy", 0), ("empty", 0)]), ["busy", "empty", "quiet"]);
    }
}
