//! The realistic source: what real databases have and DMS can carry, filled to a wanted size.

use anyhow::{Context, Result};
use tokio_postgres::Client;

/// The files of the fixture in their order; each says at its head what it is for.
const FILES: &[(&str, &str)] = &[
    ("01-roles.sql", include_str!("../schema/01-roles.sql")),
    ("02-pgbench.sql", include_str!("../schema/02-pgbench.sql")),
    ("03-shop.sql", include_str!("../schema/03-shop.sql")),
    ("04-documents.sql", include_str!("../schema/04-documents.sql")),
    ("05-partitions.sql", include_str!("../schema/05-partitions.sql")),
    ("06-keys.sql", include_str!("../schema/06-keys.sql")),
    ("07-odd-names.sql", include_str!("../schema/07-odd-names.sql")),
    ("08-logic.sql", include_str!("../schema/08-logic.sql")),
    ("09-properties.sql", include_str!("../schema/09-properties.sql")),
    ("10-grants.sql", include_str!("../schema/10-grants.sql")),
    ("11-finish.sql", include_str!("../schema/11-finish.sql")),
];

/// What only the native engine carries.
const WIDE: &str = include_str!("../schema/wide.sql");

/// What only a run without a fail-back path carries.
const FOLLOWS: &str = "ALTER TABLE wide.secured DISABLE ROW LEVEL SECURITY";

/// What DMS cannot carry, for the tests of preflight.
pub const UNDELIVERABLE: &str = include_str!("../schema/undeliverable.sql");

/// The smallest size that still holds every kind of object and value, in megabytes.
pub const SMALLEST_MEGABYTES: u32 = 20;

/// How many rows each part gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Rows of `pgbench_branches`.
    pub branches: u32,
    /// Rows of `pgbench_accounts`.
    pub accounts: u32,
    /// Rows of `shop.customers`.
    pub customers: u32,
    /// Rows of `shop.orders`; twice as many lines.
    pub orders: u32,
    /// Rows of `shop.documents` of some kilobytes; three of some megabytes come on top.
    pub documents: u32,
    /// Rows of `shop.measurements`.
    pub measurements: u32,
}

impl Size {
    /// Rows for a database of about this many megabytes, indexes and large values included.
    pub fn of_megabytes(megabytes: u32) -> Self {
        let megabytes = megabytes.max(SMALLEST_MEGABYTES);
        let share = |per_megabyte: u32| megabytes * per_megabyte;
        // An account takes 150 bytes with its index. 16 MB are there whatever the size: large values and the catalogs.
        Self {
            branches: (megabytes / 15).max(4),
            accounts: (megabytes - 16) * 4_600,
            customers: share(25),
            orders: share(100),
            documents: share(8),
            measurements: share(100),
        }
    }
}

/// Make the fixture in the database that the client, the master user's, is connected to.
pub async fn load(client: &Client, size: Size) -> Result<()> {
    let settings = [
        ("branches", size.branches),
        ("accounts", size.accounts),
        ("customers", size.customers),
        ("orders", size.orders),
        ("documents", size.documents),
        ("measurements", size.measurements),
    ];
    for (name, rows) in settings {
        let statement = format!("SET rehearsal.{name} = {rows}");
        client.batch_execute(&statement).await.with_context(|| format!("set the size of {name}"))?;
    }
    for (file, sql) in FILES {
        client.batch_execute(sql).await.with_context(|| format!("load schema/{file}"))?;
    }
    Ok(())
}

/// Add what only the native engine carries, as the master user.
pub async fn load_wide(client: &Client) -> Result<()> {
    client.batch_execute(WIDE).await.context("load schema/wide.sql")
}

/// Change what preflight does not let a fail-back path have: the old server applies by a login that row security binds.
pub async fn let_old_server_follow(client: &Client) -> Result<()> {
    client.batch_execute(FOLLOWS).await.context("switch row security off")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_size_still_has_rows_everywhere() {
        for megabytes in [0, 20, 300] {
            let size = Size::of_megabytes(megabytes);
            assert!(size.branches >= 4 && size.accounts > 10_000 && size.orders >= 2_000, "{megabytes}: {size:?}");
        }
        assert!(Size::of_megabytes(300).accounts > 1_000_000);
    }
}
