//! Which row a client writes next. Each row belongs to the client that inserted it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use fastrand::Rng;

use super::{OwnTables, identity};
use crate::clients::ledger::Effect;
use crate::clients::work::{Family, Operation, OwnWrite, Param, Statement, Write};

/// A client changes at most so many of its latest rows of a table again.
const REMEMBERED: usize = 200;

/// Plans the writes of one client.
pub(in crate::clients) struct OwnPlanner {
    tables: Arc<OwnTables>,
    rng: Rng,
    /// This client among so many.
    place: usize,
    clients: usize,
    /// Rows of tables whose rows can be inserted once: those that this client has used.
    used: HashMap<usize, usize>,
    rows: HashMap<usize, Vec<Row>>,
}

#[derive(Debug, Clone)]
struct Row {
    id: u128,
    key: Vec<Option<String>>,
}

impl OwnPlanner {
    pub(in crate::clients) fn new(tables: Arc<OwnTables>, place: usize, clients: usize) -> Self {
        let rng = Rng::with_seed(place as u64);
        Self { tables, rng, place, clients: clients.max(1), used: HashMap::new(), rows: HashMap::new() }
    }

    /// The next transaction; `None` if the table that it fell on has nothing to be done.
    pub(in crate::clients) fn plan(&mut self) -> Option<Write> {
        let tables = Arc::clone(&self.tables);
        let table = self.rng.usize(0..tables.tables.len().max(1));
        let own = tables.tables.get(table)?;
        let row = self.pick(table);
        let known = |row: &Row, value: Option<Option<String>>| -> Vec<Option<String>> {
            value.into_iter().chain(row.key.iter().cloned()).collect()
        };
        match (row, self.rng.u32(0..100)) {
            (Some(row), 45..75) if !own.updates.is_empty() => {
                let update = &own.updates[self.rng.usize(0..own.updates.len())];
                let params = known(&row, Some(update.maker.make(&mut self.rng)));
                Some(write(table, Operation::Update, own.update_sql(&update.column), params, Some(row.id)))
            }
            (Some(row), 75..85) if own.deletes => {
                Some(write(table, Operation::Delete, own.delete_sql(), known(&row, None), Some(row.id)))
            }
            (Some(row), 85..) if own.moves.is_some() => {
                let moved = own.moves.as_ref()?;
                let params = known(&row, Some(moved.maker.make(&mut self.rng)));
                Some(write(table, Operation::KeyUpdate, own.update_sql(&moved.column), params, Some(row.id)))
            }
            _ => {
                let used = self.used.entry(table).or_default();
                let number = *used * self.clients + self.place;
                *used += 1;
                let values = own.inserts.row(&mut self.rng, number)?;
                Some(write(table, Operation::Insert, own.insert_sql(), values, None))
            }
        }
    }

    /// The write was acknowledged: `returned` is the row as the server wrote it.
    pub(in crate::clients) fn acknowledged(&mut self, write: &OwnWrite, returned: &[Vec<Option<String>>]) {
        self.forget(write);
        if write.operation == Operation::Delete {
            return;
        }
        let rows = self.rows.entry(write.table).or_default();
        for row in returned {
            let Some((id, _)) = identity(row) else { continue };
            if row.len() < 3 {
                continue; // without a key it is not found again
            }
            if rows.len() >= REMEMBERED {
                let oldest = self.rng.usize(0..rows.len());
                rows.swap_remove(oldest);
            }
            rows.push(Row { id, key: row[2..].to_vec() });
        }
    }

    /// Its outcome is unknown, or it was refused for good: its row is not touched again.
    pub(in crate::clients) fn forget(&mut self, write: &OwnWrite) {
        if let (Some(id), Some(rows)) = (write.row, self.rows.get_mut(&write.table)) {
            rows.retain(|row| row.id != id);
        }
    }

    fn pick(&mut self, table: usize) -> Option<Row> {
        let rows = self.rows.get(&table).filter(|rows| !rows.is_empty())?;
        Some(rows[self.rng.usize(0..rows.len())].clone())
    }
}

fn write(table: usize, operation: Operation, sql: String, params: Vec<Option<String>>, row: Option<u128>) -> Write {
    let params = params.into_iter().map(Param::MaybeText).collect();
    Write {
        statements: vec![Statement { sql: Cow::Owned(sql), params, rows: 1 }],
        effects: Vec::new(),
        own: Some(OwnWrite { table, operation, row }),
    }
}

impl OwnWrite {
    /// What the write promises, now that the server has said what it wrote.
    pub(in crate::clients) fn effects(&self, returned: &[Vec<Option<String>>]) -> Vec<Effect> {
        let family = Family::Own(u16::try_from(self.table).unwrap_or(u16::MAX));
        let gone = self.row.map(|id| Effect { key: (family, id), after: None });
        let written = returned
            .iter()
            .filter_map(|row| identity(row))
            .map(|(id, hash)| Effect { key: (family, id), after: Some(crate::clients::ledger::of_hash(hash)) });
        match self.operation {
            Operation::Delete => gone.into_iter().collect(),
            // The same row in another state, unless its key is another one now.
            Operation::Insert | Operation::Update => written.collect(),
            Operation::KeyUpdate => gone.into_iter().chain(written).collect(),
        }
    }
}
