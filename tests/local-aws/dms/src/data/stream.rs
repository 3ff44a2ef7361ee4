//! Committed changes of the source as they come out of the slot.
//!
//! DMS reads its slot as a walsender's client does, so the stand-in does too: the slot reads `active` while a task
//! runs, the connection shows as a walsender, and a change arrives as soon as it is committed. Reading the slot by
//! SQL would decode the log again from its restart point on every look.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::access::Access;
use super::failure::Failure;
use super::lsn::Lsn;
use super::test_decoding::{Message, Operation, parse_message};
use super::wire::Wire;

/// A task's number of a selected table.
pub(crate) type TableId = usize;

/// The selected tables by schema and name.
pub(crate) type TableIndex = HashMap<(String, String), TableId>;

/// How often the server hears that we are alive. An idle walsender answers with how far it has read, which ends the
/// phase of cached changes on a source where nobody writes.
const STATUS_INTERVAL: Duration = Duration::from_millis(250);

/// Transactions read ahead of the apply.
const READ_AHEAD: usize = 256;

/// A change of a selected table, its row still as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) table: TableId,
    pub(crate) operation: Operation,
    pub(crate) row: String,
}

/// A committed transaction of the source.
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    pub(crate) xid: u32,
    /// The end of its commit record: confirming this position confirms the transaction.
    pub(crate) end: Lsn,
    /// When it was committed, epoch seconds.
    pub(crate) committed_at: Option<f64>,
    pub(crate) changes: Vec<Change>,
}

/// What the stream gives.
pub(crate) enum StreamItem {
    /// A transaction, perhaps without changes of selected tables.
    Transaction(Transaction),
    /// Everything committed before this position was given already.
    Reached(Lsn),
}

/// A running stream. Dropping it ends the connection, after a last word on what is confirmed.
pub(crate) struct ChangeStream {
    items: mpsc::Receiver<Result<StreamItem, Failure>>,
    confirmed: watch::Sender<Lsn>,
}

impl ChangeStream {
    /// Read a slot from a position on.
    pub(crate) async fn open(access: &Access, slot: &str, from: Lsn, tables: Arc<TableIndex>) -> Result<Self, Failure> {
        let mut wire = Wire::connect(access, true).await?;
        let start = format!("START_REPLICATION SLOT \"{slot}\" LOGICAL {from} (\"include-timestamp\" 'on')");
        wire.open_copy(&start, b'W').await?;
        let (sender, items) = mpsc::channel(READ_AHEAD);
        let (confirmed, confirmations) = watch::channel(from);
        tokio::spawn(Reader { wire, tables, sender, confirmations, open: None, given: from }.run());
        Ok(Self { items, confirmed })
    }

    /// The next item; an error is the last one.
    pub(crate) async fn next(&mut self) -> Result<StreamItem, Failure> {
        match self.items.recv().await {
            Some(item) => item,
            None => Err(Failure::Connection("the replication connection ended".to_owned())),
        }
    }

    /// The next item, if one was read already.
    pub(crate) fn next_at_hand(&mut self) -> Option<Result<StreamItem, Failure>> {
        self.items.try_recv().ok()
    }

    /// Everything up to here is applied and need not be kept.
    pub(crate) fn confirm(&self, position: Lsn) {
        self.confirmed.send_if_modified(|current| {
            let moved = position > *current;
            if moved {
                *current = position;
            }
            moved
        });
    }
}

struct Reader {
    wire: Wire,
    tables: Arc<TableIndex>,
    sender: mpsc::Sender<Result<StreamItem, Failure>>,
    confirmations: watch::Receiver<Lsn>,
    open: Option<Transaction>,
    /// The end of the last transaction that was handed over.
    given: Lsn,
}

impl Reader {
    async fn run(mut self) {
        let outcome = match self.read().await {
            Ok(()) => self.report().await,
            failed => failed,
        };
        if let Err(failure) = outcome {
            let _nobody_listens = self.sender.send(Err(failure)).await;
        }
    }

    async fn read(&mut self) -> Result<(), Failure> {
        let mut ticks = tokio::time::interval(STATUS_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            while let Some(frame) = self.wire.take_frame() {
                let item = match frame.tag {
                    b'd' => self.take(frame.body).await?,
                    b'E' => return Err(super::failure::server_failure(&frame.body)),
                    b'c' => return Err(Failure::Connection("the walsender ended the stream".to_owned())),
                    _ => None,
                };
                if let Some(item) = item
                    && !self.hand_over(item, &mut ticks).await?
                {
                    return Ok(());
                }
            }
            tokio::select! {
                filled = self.wire.fill() => filled?,
                _ = ticks.tick() => self.report().await?,
                changed = self.confirmations.changed() => match changed {
                    Ok(()) => self.report().await?,
                    Err(_) => return Ok(()),
                },
            }
        }
    }

    /// Waits for room, still answering the server meanwhile. False: nobody listens any more.
    async fn hand_over(&mut self, item: StreamItem, ticks: &mut tokio::time::Interval) -> Result<bool, Failure> {
        let sender = self.sender.clone();
        loop {
            tokio::select! {
                permit = sender.reserve() => {
                    return Ok(permit.map(|permit| permit.send(Ok(item))).is_ok());
                }
                _ = ticks.tick() => self.report().await?,
            }
        }
    }

    async fn take(&mut self, mut body: Bytes) -> Result<Option<StreamItem>, Failure> {
        let short = |_| Failure::Connection("a replication message is too short".to_owned());
        match body.try_get_u8().map_err(short)? {
            b'w' => {
                let position = Lsn(body.try_get_u64().map_err(short)?);
                body.try_get_u64().map_err(short)?;
                body.try_get_u64().map_err(short)?;
                self.take_message(position, &body)
            }
            b'k' => {
                let position = Lsn(body.try_get_u64().map_err(short)?);
                body.try_get_u64().map_err(short)?;
                if body.try_get_u8().map_err(short)? == 1 {
                    self.answer(position).await?;
                }
                Ok(self.open.is_none().then_some(StreamItem::Reached(position)))
            }
            _ => Ok(None),
        }
    }

    fn take_message(&mut self, position: Lsn, text: &[u8]) -> Result<Option<StreamItem>, Failure> {
        let text = std::str::from_utf8(text).map_err(|error| Failure::Connection(error.to_string()))?;
        match parse_message(text).map_err(|error| Failure::Connection(error.to_string()))? {
            Message::Begin { xid } => {
                self.open = Some(Transaction { xid, end: position, committed_at: None, changes: Vec::new() });
                Ok(None)
            }
            Message::Change(change) => {
                if let (Some(open), Some(table)) = (self.open.as_mut(), self.tables.get(&(change.schema, change.table)))
                {
                    open.changes.push(Change {
                        table: *table,
                        operation: change.operation,
                        row: change.row.to_owned(),
                    });
                }
                Ok(None)
            }
            Message::Commit { at } => Ok(self.open.take().map(|mut transaction| {
                transaction.end = position;
                self.given = position;
                transaction.committed_at = at.and_then(epoch_seconds);
                StreamItem::Transaction(transaction)
            })),
            Message::Truncate | Message::Other => Ok(None),
        }
    }

    async fn report(&mut self) -> Result<(), Failure> {
        let position = *self.confirmations.borrow();
        self.tell(position).await
    }

    /// A server that asks may be waiting to shut down, and waits until everything it sent is confirmed. If all
    /// transactions are, so is the rest, which holds none.
    async fn answer(&mut self, sent: Lsn) -> Result<(), Failure> {
        let confirmed = *self.confirmations.borrow();
        let is_level = self.open.is_none() && confirmed >= self.given;
        self.tell(if is_level { sent.max(confirmed) } else { confirmed }).await
    }

    async fn tell(&mut self, position: Lsn) -> Result<(), Failure> {
        let mut out = BytesMut::with_capacity(39);
        out.put_u8(b'd');
        out.put_u32(4 + 34);
        out.put_u8(b'r');
        for _written_flushed_applied in 0..3 {
            out.put_u64(position.0);
        }
        out.put_u64(0);
        out.put_u8(0);
        self.wire.send(&out).await
    }
}

/// A time as a server with `datestyle=ISO` writes it, as epoch seconds.
fn epoch_seconds(text: &str) -> Option<f64> {
    use time::OffsetDateTime;
    use time::macros::format_description;

    let (whole, fraction) = match text.split_once('.') {
        Some((whole, rest)) => (whole, rest.split(['+', '-']).next().unwrap_or("0")),
        None => (text.split('+').next().unwrap_or(text), "0"),
    };
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let at = time::PrimitiveDateTime::parse(whole, format).ok()?.assume_utc();
    let seconds = (at - OffsetDateTime::UNIX_EPOCH).as_seconds_f64();
    Some(seconds + format!("0.{fraction}").parse::<f64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_times_are_read() {
        let cases = [
            ("1970-01-01 00:00:01+00", Some(1.0)),
            ("1970-01-01 00:00:01.25+00", Some(1.25)),
            ("2026-11-22 10:58:58.571393+00", Some(1_795_345_138.571_393)),
            ("yesterday", None),
        ];

        for (text, expected) in cases {
            assert_eq!(epoch_seconds(text), expected, "{text}");
        }
    }
}
