//! WAL piles up on the source behind the run's slot for as long as DMS is behind. The source's disk is worth more than
//! the run.

use pgleap_contract::{ErrorCode, Limits, Server};
use pgleap_pg::{PgErrorKind, Session, slots};

use crate::{StepError, StepResult};

const GB: i64 = 1_000_000_000;
const GIB: i64 = 1 << 30;

/// Refuse to go on once the source keeps more than the run may cost it: by the input's limit, and by its storage.
pub async fn refuse_too_much_wal(source: &Session, server: &Server, limits: &Limits) -> StepResult<slots::Slot> {
    let slot = slots::look(source).await?;
    let storage = match server.storage_gib {
        Some(gib) if slot.retained_bytes > 0 => storage(source, i64::from(gib) * GIB).await?,
        _ => None,
    };
    judge(slot.retained_bytes, limits, storage)?;
    Ok(slot)
}

/// What SQL can tell of the source's disk: nothing on RDS shows what is free, but sizes of databases can be seen.
#[derive(Debug, Clone, Copy)]
struct Storage {
    bytes: i64,
    databases: i64,
}

/// What the databases leave free of a server's storage, in bytes; none where nobody knows, or where it was enlarged meanwhile.
pub async fn free_storage(session: &Session, storage_gib: Option<u32>) -> StepResult<Option<i64>> {
    let Some(gib) = storage_gib else { return Ok(None) };
    let storage = storage(session, i64::from(gib) * GIB).await?;
    Ok(storage.map(|storage| storage.bytes - storage.databases).filter(|left| *left > 0))
}

/// Of every database whose size the login may see: the others' make less of what is left, never more.
async fn storage(source: &Session, bytes: i64) -> StepResult<Option<Storage>> {
    let sql = "SELECT coalesce(sum(pg_catalog.pg_database_size(oid)), 0)::bigint FROM pg_catalog.pg_database
               WHERE pg_catalog.has_database_privilege(oid, 'CONNECT') OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')";
    match source.row("measure the databases", sql, &[]).await {
        Ok(row) => Ok(Some(Storage { bytes, databases: row.get(0) })),
        Err(error) if error.kind == PgErrorKind::Unreachable => Err(error.into()),
        Err(_refused) => Ok(None),
    }
}

fn judge(retained_bytes: i64, limits: &Limits, storage: Option<Storage>) -> StepResult<()> {
    let keeps = |than: String| {
        let message = format!(
            "watch the source: it keeps {:.1} GB of WAL for the run's slot, more than {than}",
            in_gb(retained_bytes)
        );
        Err(StepError::new(ErrorCode::TooMuchWal, message))
    };
    if retained_bytes > i64::from(limits.max_retained_wal_gb) * GB {
        return keeps(format!("limits.maxRetainedWalGb ({})", limits.max_retained_wal_gb));
    }
    // Databases larger than the storage: somebody has given it more since the run began.
    let left = storage.map(|storage| storage.bytes - storage.databases).filter(|left| *left > 0);
    match (left, storage) {
        (Some(left), Some(storage)) if retained_bytes > left / 2 => keeps(format!(
            "half of the {:.1} GB that its databases leave free in its storage ({} GiB)",
            in_gb(left),
            storage.bytes / GIB
        )),
        _ => Ok(()),
    }
}

fn in_gb(bytes: i64) -> f64 {
    bytes as f64 / GB as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_gives_up_above_its_limit_and_above_half_of_what_databases_leave_of_the_disk() {
        let limits = Limits { max_retained_wal_gb: 2, ..Limits::default() };
        let storage = |gib: i64, databases: i64| Some(Storage { bytes: gib * GIB, databases });
        let cases = [
            (0, None, None),
            (2 * GB, None, None),
            (2 * GB + 1, None, Some("limits.maxRetainedWalGb (2)")),
            (GB, storage(100, 0), None),
            (GB, storage(100, 100 * GIB - 2 * GB), None),
            (
                GB + 1,
                storage(100, 100 * GIB - 2 * GB),
                Some("half of the 2.0 GB that its databases leave free in its storage (100 GiB)"),
            ),
            (2 * GB, storage(100, 101 * GIB), None),
            (3 * GB, storage(100, 101 * GIB), Some("keeps 3.0 GB of WAL")),
        ];
        for (retained, storage, expected) in cases {
            let told = judge(retained, &limits, storage).map_err(|error| error.message);

            match (told, expected) {
                (Ok(()), None) => {}
                (Err(message), Some(words)) if message.contains(words) => {}
                (told, expected) => panic!("{retained}, {storage:?}: {told:?}, not {expected:?}"),
            }
        }
    }
}
