//! The replication slot of a task: its name, its making, its end.

use std::time::Duration;

use tokio_postgres::Client;

use super::failure::Failure;
use super::lsn::Lsn;

/// DMS's name for a slot: 16 characters of the task's resource id, the database's oid, a uuid.
pub(crate) fn name(resource_id: &str, database_oid: u32, uuid: uuid::Uuid) -> String {
    let head: String = resource_id.chars().take(16).collect();
    format!("{}_{database_oid:08}_{}", head.to_lowercase().replace('-', "_"), uuid.to_string().replace('-', "_"))
}

/// Make a slot. The server itself waits for the transactions that are open, at most as long as DMS would.
pub(crate) async fn create(source: &Client, name: &str, limit: Duration) -> Result<Lsn, Failure> {
    source.batch_execute(&format!("SET statement_timeout = {}", limit.as_millis().max(1))).await?;
    let made = source
        .query_one("SELECT lsn::text FROM pg_create_logical_replication_slot($1, 'test_decoding')", &[&name])
        .await;
    source.batch_execute("SET statement_timeout = 0").await?;
    parse(&made?.get::<_, String>(0))
}

/// Where a slot stands: everything before is confirmed. None if there is no such slot.
pub(crate) async fn position(source: &Client, name: &str) -> Result<Option<Lsn>, Failure> {
    let sql = "SELECT coalesce(confirmed_flush_lsn, '0/0')::text FROM pg_replication_slots WHERE slot_name = $1";
    match source.query_opt(sql, &[&name]).await? {
        Some(row) => parse(&row.get::<_, String>(0)).map(Some),
        None => Ok(None),
    }
}

/// Drop a slot, if it is there. A walsender that has just lost its client may hold it for a moment.
pub(crate) async fn drop(source: &Client, name: &str, limit: Duration) -> Result<(), Failure> {
    let give_up = tokio::time::Instant::now() + limit;
    loop {
        let sql = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1";
        match source.execute(sql, &[&name]).await.map_err(Failure::from) {
            Err(failure) if failure.code() == Some("55006") && tokio::time::Instant::now() < give_up => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            outcome => return outcome.map(|_| ()),
        }
    }
}

/// DMS refuses a `wal_sender_timeout` between 1 ms and 9999 ms.
pub(crate) async fn check_sender_timeout(source: &Client) -> Result<Option<String>, Failure> {
    let row = source.query_one("SELECT setting::int8 FROM pg_settings WHERE name = 'wal_sender_timeout'", &[]).await?;
    let milliseconds: i64 = row.get(0);
    Ok((1..10_000)
        .contains(&milliseconds)
        .then(|| format!("wal_sender_timeout is {milliseconds} ms; it must be 0 or at least 10000 ms for replication")))
}

fn parse(text: &str) -> Result<Lsn, Failure> {
    text.parse().map_err(|error| Failure::Connection(format!("{error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_has_the_form_of_dms() {
        let uuid = uuid::Uuid::parse_str("93278367-8cf9-456b-8be0-565d354a2cf1").unwrap();

        assert_eq!(
            name("Y2R2KWWLCFENFE4LXOHAILFFRE", 16413, uuid),
            "y2r2kwwlcfenfe4l_00016413_93278367_8cf9_456b_8be0_565d354a2cf1"
        );
        assert_eq!(name("short-id", 5, uuid), "short_id_00000005_93278367_8cf9_456b_8be0_565d354a2cf1");
    }
}
