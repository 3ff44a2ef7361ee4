//! What the clients write: transactions as an application makes them, each with what it promises about rows.
//!
//! Keys are made by the client, so that every row can be found again; a row belongs to the one client that made it, so
//! its last acknowledged value is known. Planning touches no server.

use std::borrow::Cow;
use std::collections::HashMap;

use fastrand::Rng;
use sha2::{Digest, Sha256};
use tokio_postgres::types::ToSql;

use super::ledger::{Effect, Value};
use crate::fixture::Size;

/// Tables that hold rows of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// `shop.orders` with lines and audit: revision, lines, audit rows.
    Order,
    /// `shop.documents`: revision, hash of body, hash of scan.
    Document,
    /// `public.pgbench_history`, which has no key: delta, account.
    Transfer,
    /// `shop.clicks`, which has no key and is updated: times seen.
    Click,
    /// `shop.tickets`: a key by identity.
    Ticket,
    /// `shop.invoices`: a serial key and a shared sequence.
    Invoice,
    /// `shop.credit_notes`: the other user of the shared sequence.
    CreditNote,
    /// `shop.countdowns`: a descending sequence.
    Countdown,
    /// `shop.measurements`, over all partitions: the number in its remark.
    Measurement,
    /// `rehearsal.probe`, beside an operator's own schema: revision.
    Probe,
    /// `wide.written`: a token, with a change of everything in its schema.
    Wide,
    /// A table of the operator's own, by its number: a hash of the row.
    Own(u16),
}

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The application's own role.
    App,
    /// The owner of the tables.
    Owner,
    /// The master user.
    Master,
    /// The owner of the tables, on those that only the native engine carries.
    Wide,
    /// A role on the probe table only.
    Probe,
    /// The database's owner, on the operator's own tables.
    Own,
}

/// What is done to a row of an operator's own table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Operation {
    /// A new row.
    Insert,
    /// Another value of a column outside the key.
    Update,
    /// The row goes.
    Delete,
    /// Another key.
    KeyUpdate,
}

/// A write to an operator's own table: the server says what became of the row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OwnWrite {
    /// The table's number.
    pub(super) table: usize,
    /// What is done.
    pub(super) operation: Operation,
    /// The row that was there before.
    pub(super) row: Option<u128>,
}

/// A parameter of a statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Param {
    /// `text`.
    Text(String),
    /// `text` or NULL.
    MaybeText(Option<String>),
    /// `int`.
    Int(i32),
    /// `bigint`.
    Big(i64),
    /// `bytea`.
    Bytes(Vec<u8>),
}

impl Param {
    /// As tokio-postgres wants it.
    pub(super) fn as_sql(&self) -> &(dyn ToSql + Sync) {
        match self {
            Param::Text(value) => value,
            Param::MaybeText(value) => value,
            Param::Int(value) => value,
            Param::Big(value) => value,
            Param::Bytes(value) => value,
        }
    }
}

/// One statement of a transaction, which must touch exactly one row unless `rows` says otherwise.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    /// SQL with parameters.
    pub(super) sql: Cow<'static, str>,
    /// Values.
    pub(super) params: Vec<Param>,
    /// Rows that it must touch.
    pub(super) rows: u64,
}

/// A transaction and what its acknowledgement promises.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Write {
    /// In order.
    pub(super) statements: Vec<Statement>,
    /// Rows as they will be.
    pub(super) effects: Vec<Effect>,
    /// Set where the server's answer tells the rows.
    pub(super) own: Option<OwnWrite>,
}

const TRANSFER_ACCOUNT: &str = "UPDATE public.pgbench_accounts SET abalance = abalance + $2 WHERE aid = $1";
const TRANSFER_TELLER: &str = "UPDATE public.pgbench_tellers SET tbalance = tbalance + $2 WHERE tid = $1";
const TRANSFER_BRANCH: &str = "UPDATE public.pgbench_branches SET bbalance = bbalance + $2 WHERE bid = $1";
const TRANSFER_HISTORY: &str = "INSERT INTO public.pgbench_history (tid, bid, aid, delta, mtime, filler) \
    VALUES ($2, $3, $4, $5, clock_timestamp(), $1::text)";
const ORDER_INSERT: &str =
    "INSERT INTO shop.orders (id, customer_id, note, total) VALUES ($1::text::uuid, $2, $3, $4::int / 100.0)";
const ORDER_LINES: &str = "INSERT INTO shop.order_lines (order_id, line, product_id, quantity, price) \
    SELECT $1::text::uuid, n, $2::int + n, n, 9.95 FROM generate_series(1, $3::int) AS n";
const ORDER_REVISE: &str = "UPDATE shop.orders SET revision = $2, note = $3 WHERE id = $1::text::uuid";
const ORDER_DELETE: &str = "DELETE FROM shop.orders WHERE id = $1::text::uuid";
const DOCUMENT_INSERT: &str = "INSERT INTO shop.documents (id, title, body, scan, attributes, keywords) \
    VALUES ($1::text::uuid, 'from a client', $2, $3, jsonb_build_object('made', $1::text), ARRAY['a', NULL, 'b,c'])";
const DOCUMENT_BODY: &str = "UPDATE shop.documents SET revision = $2, body = $3 WHERE id = $1::text::uuid";
const DOCUMENT_SCAN: &str = "UPDATE shop.documents SET revision = $2, scan = $3 WHERE id = $1::text::uuid";
const DOCUMENT_NO_SCAN: &str = "UPDATE shop.documents SET revision = $2, scan = NULL WHERE id = $1::text::uuid";
const DOCUMENT_REVISION: &str = "UPDATE shop.documents SET revision = $2 WHERE id = $1::text::uuid";
const CLICK_INSERT: &str = "INSERT INTO shop.clicks (token, page) VALUES ($1::text::uuid, 'a page')";
const CLICK_UPDATE: &str = "UPDATE shop.clicks SET seen = $2 WHERE token = $1::text::uuid";
const CLICK_DELETE: &str = "DELETE FROM shop.clicks WHERE token = $1::text::uuid";
const TICKET_INSERT: &str = "INSERT INTO shop.tickets (token) VALUES ($1::text::uuid)";
const INVOICE_INSERT: &str = "INSERT INTO shop.invoices (token) VALUES ($1::text::uuid)";
const CREDIT_NOTE_INSERT: &str = "INSERT INTO shop.credit_notes (token) VALUES ($1::text::uuid)";
const COUNTDOWN_INSERT: &str = "INSERT INTO shop.countdowns (token) VALUES ($1::text::uuid)";
const MEASUREMENT_INSERT: &str = "INSERT INTO shop.measurements (token, day, sensor_id, value, remark) \
    VALUES ($1::text::uuid, date '2024-01-01' + $2::int, 1 + $2::int % 20, 1.5, 'r1')";
const MEASUREMENT_UPDATE: &str = "UPDATE shop.measurements SET remark = 'r' || $2::int WHERE token = $1::text::uuid";
const WIDE_INSERT: &str = "INSERT INTO wide.written (token) VALUES ($1::text::uuid)";
const WIDE_CHURN: &str = "SELECT wide.churn($1)";
const PROBE_INSERT: &str = "INSERT INTO rehearsal.probe (id, revision, note) VALUES ($1::text::uuid, 1, $2)";
const PROBE_UPDATE: &str = "UPDATE rehearsal.probe SET revision = $2, note = $3 WHERE id = $1::text::uuid";

/// Rows that one client remembers for later updates, of each family.
const REMEMBERED: usize = 200;

/// Plans one client's writes.
#[derive(Debug)]
pub(super) struct Planner {
    kind: Kind,
    size: Size,
    rng: Rng,
    own: HashMap<Family, Vec<(u128, Value)>>,
}

impl Planner {
    /// The seed makes the choices repeatable; keys differ all the same.
    pub(super) fn new(kind: Kind, size: Size, seed: u64) -> Self {
        Self { kind, size, rng: Rng::with_seed(seed), own: HashMap::new() }
    }

    /// The next transaction.
    pub(super) fn plan(&mut self) -> Write {
        match (self.kind, self.rng.u32(0..100)) {
            (Kind::Master, _) => self.transfer(),
            (Kind::Owner, 0..35) => self.new_document(),
            (Kind::Owner, _) => self.change_document(),
            (Kind::App, 0..20) => self.new_order(),
            (Kind::App, 20..45) => self.revise_order(),
            (Kind::App, 45..48) => self.delete(Family::Order, ORDER_DELETE, CLICK_INSERT),
            (Kind::App, 48..58) => self.insert(Family::Click, CLICK_INSERT, [1, 0, 0]),
            (Kind::App, 58..63) => self.count_up(Family::Click, CLICK_UPDATE, CLICK_INSERT),
            (Kind::App, 63..65) => self.delete(Family::Click, CLICK_DELETE, CLICK_INSERT),
            (Kind::App, 65..73) => self.insert(Family::Ticket, TICKET_INSERT, [0; 3]),
            (Kind::App, 73..79) => self.insert(Family::Invoice, INVOICE_INSERT, [0; 3]),
            (Kind::App, 79..83) => self.insert(Family::CreditNote, CREDIT_NOTE_INSERT, [0; 3]),
            (Kind::App, 83..88) => self.insert(Family::Countdown, COUNTDOWN_INSERT, [0; 3]),
            (Kind::App, 88..95) => self.new_measurement(),
            (Kind::App, _) => self.revise_measurement(),
            (Kind::Wide, turn) => self.churn(turn),
            (Kind::Probe | Kind::Own, 0..50) => self.new_probe(),
            (Kind::Probe | Kind::Own, _) => self.revise_probe(),
        }
    }

    /// The write was acknowledged: its rows may be written again.
    pub(super) fn acknowledged(&mut self, write: &Write) {
        for effect in &write.effects {
            let (family, id) = effect.key;
            self.forget(family, id);
            let own = self.own.entry(family).or_default();
            if let Some(value) = effect.after {
                if own.len() >= REMEMBERED {
                    let oldest = self.rng.usize(0..own.len());
                    own.swap_remove(oldest);
                }
                own.push((id, value));
            }
        }
    }

    /// The write's outcome is unknown, or it was refused for good: its rows are not touched again.
    pub(super) fn abandoned(&mut self, write: &Write) {
        for effect in &write.effects {
            self.forget(effect.key.0, effect.key.1);
        }
    }

    fn forget(&mut self, family: Family, id: u128) {
        if let Some(own) = self.own.get_mut(&family) {
            own.retain(|(known, _)| *known != id);
        }
    }

    fn pick(&mut self, family: Family) -> Option<(u128, Value)> {
        let own = self.own.get(&family)?;
        if own.is_empty() { None } else { Some(own[self.rng.usize(0..own.len())]) }
    }

    fn transfer(&mut self) -> Write {
        let id = fresh_id() >> 40; // 88 bits are the 22 hex digits of `filler`
        let delta = self.rng.i32(-5000..5000);
        let aid = self.rng.i32(1..=self.size.accounts.cast_signed());
        let tid = self.rng.i32(1..=self.size.branches.cast_signed() * 10);
        let bid = (tid - 1) / 10 + 1;
        let update = |sql, key| one(sql, vec![Param::Int(key), Param::Int(delta)]);
        let history = [Param::Int(tid), Param::Int(bid), Param::Int(aid), Param::Int(delta)];
        let params = std::iter::once(Param::Text(format!("{id:022x}"))).chain(history).collect();
        Write {
            statements: vec![
                update(TRANSFER_ACCOUNT, aid),
                update(TRANSFER_TELLER, tid),
                update(TRANSFER_BRANCH, bid),
                one(TRANSFER_HISTORY, params),
            ],
            effects: promise(Family::Transfer, id, [delta.cast_unsigned(), aid.cast_unsigned(), 0]),
            own: None,
        }
    }

    fn new_order(&mut self) -> Write {
        let id = fresh_id();
        let lines = self.rng.u32(1..=3);
        let customer = 1000 + 5 * i64::from(self.rng.u32(0..self.size.customers));
        let total = self.rng.i32(0..100_000);
        let note = self.some_text(400);
        let product = self.rng.i32(1..1990);
        Write {
            statements: vec![
                one(ORDER_INSERT, vec![text(id), Param::Big(customer), Param::MaybeText(note), Param::Int(total)]),
                Statement {
                    sql: Cow::Borrowed(ORDER_LINES),
                    params: vec![text(id), Param::Int(product), Param::Int(lines.cast_signed())],
                    rows: u64::from(lines),
                },
            ],
            effects: promise(Family::Order, id, [1, lines, 1]),
            own: None,
        }
    }

    fn revise_order(&mut self) -> Write {
        let Some((id, [revision, lines, audits])) = self.pick(Family::Order) else { return self.new_order() };
        let note = self.some_text(2_000);
        let params = vec![text(id), Param::Int(revision.cast_signed() + 1), Param::MaybeText(note)];
        Write {
            statements: vec![one(ORDER_REVISE, params)],
            effects: promise(Family::Order, id, [revision + 1, lines, audits + 1]),
            own: None,
        }
    }

    fn new_document(&mut self) -> Write {
        let id = fresh_id();
        let body = self.body();
        let scan = self.scan();
        let value = [1, hash(body.as_bytes()), hash(&scan)];
        Write {
            statements: vec![one(DOCUMENT_INSERT, vec![text(id), Param::Text(body), Param::Bytes(scan)])],
            effects: promise(Family::Document, id, value),
            own: None,
        }
    }

    fn change_document(&mut self) -> Write {
        let Some((id, [revision, body, scan])) = self.pick(Family::Document) else { return self.new_document() };
        let next = Param::Int(revision.cast_signed() + 1);
        let (sql, params, value) = match self.rng.u32(0..10) {
            0..4 => {
                let new = self.body();
                let value = [revision + 1, hash(new.as_bytes()), scan];
                (DOCUMENT_BODY, vec![text(id), next, Param::Text(new)], value)
            }
            4..7 => {
                let new = self.scan();
                let value = [revision + 1, body, hash(&new)];
                (DOCUMENT_SCAN, vec![text(id), next, Param::Bytes(new)], value)
            }
            7 => (DOCUMENT_NO_SCAN, vec![text(id), next], [revision + 1, body, 0]),
            // The large values stay as they are, and so does their TOAST.
            _ => (DOCUMENT_REVISION, vec![text(id), next], [revision + 1, body, scan]),
        };
        Write { statements: vec![one(sql, params)], effects: promise(Family::Document, id, value), own: None }
    }

    fn new_measurement(&mut self) -> Write {
        let id = fresh_id();
        let day = self.rng.i32(0..1100);
        Write {
            statements: vec![one(MEASUREMENT_INSERT, vec![text(id), Param::Int(day)])],
            effects: promise(Family::Measurement, id, [1, 0, 0]),
            own: None,
        }
    }

    fn revise_measurement(&mut self) -> Write {
        let Some((id, [number, ..])) = self.pick(Family::Measurement) else { return self.new_measurement() };
        Write {
            statements: vec![one(MEASUREMENT_UPDATE, vec![text(id), Param::Int(number.cast_signed() + 1)])],
            effects: promise(Family::Measurement, id, [number + 1, 0, 0]),
            own: None,
        }
    }

    fn churn(&mut self, turn: u32) -> Write {
        let id = fresh_id();
        let turn = self.rng.i32(0..10_000) * 100 + turn.cast_signed();
        Write {
            statements: vec![one(WIDE_INSERT, vec![text(id)]), one(WIDE_CHURN, vec![Param::Int(turn)])],
            effects: promise(Family::Wide, id, [0; 3]),
            own: None,
        }
    }

    fn new_probe(&mut self) -> Write {
        let id = fresh_id();
        let note = self.some_text(500);
        Write {
            statements: vec![one(PROBE_INSERT, vec![text(id), Param::MaybeText(note)])],
            effects: promise(Family::Probe, id, [1, 0, 0]),
            own: None,
        }
    }

    fn revise_probe(&mut self) -> Write {
        let Some((id, [revision, ..])) = self.pick(Family::Probe) else { return self.new_probe() };
        let note = self.some_text(5_000);
        let params = vec![text(id), Param::Int(revision.cast_signed() + 1), Param::MaybeText(note)];
        Write {
            statements: vec![one(PROBE_UPDATE, params)],
            effects: promise(Family::Probe, id, [revision + 1, 0, 0]),
            own: None,
        }
    }

    fn insert(&mut self, family: Family, sql: &'static str, value: Value) -> Write {
        let id = fresh_id();
        Write { statements: vec![one(sql, vec![text(id)])], effects: promise(family, id, value), own: None }
    }

    fn count_up(&mut self, family: Family, sql: &'static str, insert: &'static str) -> Write {
        let Some((id, [count, ..])) = self.pick(family) else { return self.insert(family, insert, [1, 0, 0]) };
        Write {
            statements: vec![one(sql, vec![text(id), Param::Int(count.cast_signed() + 1)])],
            effects: promise(family, id, [count + 1, 0, 0]),
            own: None,
        }
    }

    fn delete(&mut self, family: Family, sql: &'static str, else_click: &'static str) -> Write {
        let Some((id, _)) = self.pick(family) else { return self.insert(Family::Click, else_click, [1, 0, 0]) };
        Write {
            statements: vec![one(sql, vec![text(id)])],
            effects: vec![Effect { key: (family, id), after: None }],
            own: None,
        }
    }

    fn some_text(&mut self, longest: usize) -> Option<String> {
        let length = self.rng.usize(0..longest);
        (self.rng.u32(0..5) > 0).then(|| self.random_text(length))
    }

    fn body(&mut self) -> String {
        // Mostly small, some that go to TOAST, now and then a large one.
        let length = match self.rng.u32(0..400) {
            0 => 1_000_000,
            1..40 => self.rng.usize(5_000..60_000),
            _ => self.rng.usize(0..3_000),
        };
        self.random_text(length)
    }

    fn scan(&mut self) -> Vec<u8> {
        let length = if self.rng.u32(0..400) == 0 { 1_500_000 } else { self.rng.usize(1..20_000) };
        let mut bytes = vec![0; length];
        self.rng.fill(&mut bytes);
        bytes
    }

    fn random_text(&mut self, length: usize) -> String {
        const LETTERS: &[char] = &['a', 'b', 'c', 'd', 'e', ' ', '\n', '\\', '\'', '"', 'ß', '€', '\t', ',', '😀', 'z'];
        (0..length).map(|_| LETTERS[self.rng.usize(0..LETTERS.len())]).collect()
    }
}

/// 32 bits that stand for a value; 0 stands for NULL.
fn hash(bytes: &[u8]) -> u32 {
    let digest = Sha256::digest(bytes);
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

fn fresh_id() -> u128 {
    fastrand::u128(..)
}

fn text(id: u128) -> Param {
    Param::Text(format!("{id:032x}"))
}

fn one(sql: &'static str, params: Vec<Param>) -> Statement {
    Statement { sql: Cow::Borrowed(sql), params, rows: 1 }
}

fn promise(family: Family, id: u128, value: Value) -> Vec<Effect> {
    vec![Effect { key: (family, id), after: Some(value) }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_client_writes_rows_again_that_it_was_acknowledged() {
        for kind in [Kind::App, Kind::Owner, Kind::Probe] {
            let mut planner = Planner::new(kind, Size::of_megabytes(0), 1);
            let mut last = HashMap::new();
            let mut again = 0;
            for _ in 0..500 {
                let write = planner.plan();
                for effect in &write.effects {
                    again += u32::from(last.insert(effect.key, effect.after).is_some());
                }
                planner.acknowledged(&write);
            }
            assert!(again > 100, "{kind:?}: {again}");
        }
    }

    #[test]
    fn an_abandoned_row_is_never_touched_again() {
        let mut planner = Planner::new(Kind::Probe, Size::of_megabytes(0), 2);
        let mut abandoned = Vec::new();
        for _ in 0..300 {
            let write = planner.plan();
            assert!(write.effects.iter().all(|effect| !abandoned.contains(&effect.key)));
            if abandoned.len() < 100 && planner.rng.bool() {
                planner.abandoned(&write);
                abandoned.extend(write.effects.iter().map(|effect| effect.key));
            } else {
                planner.acknowledged(&write);
            }
        }
    }

    #[test]
    fn the_mark_of_a_transfer_fits_its_column() {
        let mut planner = Planner::new(Kind::Master, Size::of_megabytes(0), 3);
        for _ in 0..50 {
            let write = planner.plan();
            assert_eq!(write.statements.len(), 4);
            assert!(matches!(&write.statements[3].params[0], Param::Text(mark) if mark.len() == 22));
        }
    }
}
