//! What a replication slot would send: its transactions, by their commits.

use pgleap_pg::{Lsn, Session};
use pgleap_step_kit::prelude::*;

/// A transaction that changed something that is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Commit {
    /// Where its commit record starts.
    pub(crate) start: Lsn,
    /// Where that record ends.
    pub(crate) end: Lsn,
    /// Its number.
    pub(crate) xid: u32,
    /// When it committed, in microseconds since 2000.
    pub(crate) at: i64,
}

/// Messages of the protocol's first version: B begins a transaction, C commits it. Before 15 transactions that change nothing
/// are sent too; the two servers have their own of these, so they are left out.
/// Source: PostgreSQL, "Logical Replication Message Formats".
const COMMITS: &str = "SELECT xid::text::bigint, data FROM (
        SELECT xid, data, get_byte(data, 0) AS kind, lag(get_byte(data, 0)) OVER () AS before
        FROM pg_logical_slot_peek_binary_changes($1::text::name, $2::text::pg_lsn, NULL, 'proto_version', '1', 'publication_names', $1::text)
    ) messages WHERE kind = 67 AND before <> 66";

/// All of them, in order; up to a position, or all that there are. The slot does not move.
pub(crate) async fn read(session: &Session, slot: &str, upto: Option<Lsn>) -> StepResult<Vec<Commit>> {
    let doing = "read the commits that the slot would send";
    let upto = upto.map(|lsn| lsn.to_string());
    let rows = session.rows(doing, COMMITS, &[&slot, &upto]).await?;
    let parsed = rows.iter().map(|row| parse(row.get(0), row.get(1)));
    parsed.collect::<Option<Vec<_>>>().ok_or_else(|| StepError::bug(format!("{doing}: a message has another format")))
}

/// Flags, start, end, time.
fn parse(xid: i64, data: &[u8]) -> Option<Commit> {
    let number = |at: usize| Some(u64::from_be_bytes(data.get(at..at + 8)?.try_into().ok()?));
    let commit = Commit {
        start: Lsn(number(2)?),
        end: Lsn(number(10)?),
        xid: u32::try_from(xid).ok()?,
        at: number(18)?.cast_signed(),
    };
    (data.len() == 26 && data.first() == Some(&b'C')).then_some(commit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_read_from_its_message() {
        let mut data = vec![b'C', 0];
        for number in [16_u64, 48, 7] {
            data.extend(number.to_be_bytes());
        }

        assert_eq!(parse(731, &data), Some(Commit { start: Lsn(16), end: Lsn(48), xid: 731, at: 7 }));
        assert_eq!(parse(731, &data[..25]), None);
        assert_eq!(parse(-1, &data), None);
    }
}
