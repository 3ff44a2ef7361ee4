//! Changes of a table that wait for its load to end.
//!
//! A long load can gather more changes than memory should hold, so beyond a few megabytes they go to an unnamed
//! file, as DMS's own cache goes to its instance's disk.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use super::test_decoding::Operation;

/// Bytes of rows kept in memory for each table.
const MEMORY_LIMIT: usize = 4 * 1024 * 1024;

/// A change and the transaction that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CachedChange {
    pub(crate) xid: u32,
    pub(crate) operation: Operation,
    /// Already part of the table's captured changes.
    pub(crate) is_counted: bool,
    pub(crate) row: String,
}

/// First in, first out.
#[derive(Debug, Default)]
pub(crate) struct CachedChanges {
    memory: VecDeque<CachedChange>,
    memory_bytes: usize,
    spilled: Option<Spill>,
}

#[derive(Debug)]
struct Spill {
    writer: BufWriter<File>,
    written: u64,
    read: u64,
    waiting: usize,
}

impl CachedChanges {
    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.memory.is_empty() && self.spilled.as_ref().is_none_or(|spill| spill.waiting == 0)
    }

    /// Put a change behind the others.
    pub(crate) fn push(&mut self, change: CachedChange) -> io::Result<()> {
        if self.spilled.is_none() {
            if self.memory_bytes + change.row.len() <= MEMORY_LIMIT {
                self.memory_bytes += change.row.len();
                self.memory.push_back(change);
                return Ok(());
            }
            let writer = BufWriter::new(tempfile::tempfile()?);
            self.spilled = Some(Spill { writer, written: 0, read: 0, waiting: 0 });
        }
        let spill = self.spilled.as_mut().expect("made just above");
        spill.written += write(&mut spill.writer, &change)?;
        spill.waiting += 1;
        Ok(())
    }

    /// The oldest changes, at most so many.
    pub(crate) fn take(&mut self, at_most: usize) -> io::Result<Vec<CachedChange>> {
        if self.memory.is_empty()
            && let Some(spill) = self.spilled.as_mut()
        {
            spill.refill(&mut self.memory)?;
            if spill.waiting == 0 {
                self.spilled = None;
            }
        }
        let taken: Vec<_> = self.memory.drain(..at_most.min(self.memory.len())).collect();
        if self.memory.is_empty() && self.spilled.is_none() {
            self.memory_bytes = 0;
        }
        Ok(taken)
    }
}

impl Spill {
    fn refill(&mut self, memory: &mut VecDeque<CachedChange>) -> io::Result<()> {
        self.writer.flush()?;
        let mut file = self.writer.get_ref();
        file.seek(SeekFrom::Start(self.read))?;
        let mut reader = BufReader::new(file);
        let mut bytes = 0;
        while self.waiting > 0 && bytes < MEMORY_LIMIT {
            let (change, length) = read(&mut reader)?;
            bytes += change.row.len();
            self.read += length;
            self.waiting -= 1;
            memory.push_back(change);
        }
        drop(reader);
        self.writer.get_ref().seek(SeekFrom::Start(self.written))?;
        Ok(())
    }
}

fn write(writer: &mut impl Write, change: &CachedChange) -> io::Result<u64> {
    let operation = match change.operation {
        Operation::Insert => 0_u8,
        Operation::Update => 1,
        Operation::Delete => 2,
    };
    let length = u32::try_from(change.row.len()).map_err(io::Error::other)?;
    writer.write_all(&change.xid.to_be_bytes())?;
    writer.write_all(&[operation, u8::from(change.is_counted)])?;
    writer.write_all(&length.to_be_bytes())?;
    writer.write_all(change.row.as_bytes())?;
    Ok(10 + u64::from(length))
}

fn read(reader: &mut impl Read) -> io::Result<(CachedChange, u64)> {
    let mut head = [0_u8; 10];
    reader.read_exact(&mut head)?;
    let [x0, x1, x2, x3, operation, is_counted, l0, l1, l2, l3] = head;
    let length = u32::from_be_bytes([l0, l1, l2, l3]);
    let mut row = vec![0_u8; length as usize];
    reader.read_exact(&mut row)?;
    let change = CachedChange {
        xid: u32::from_be_bytes([x0, x1, x2, x3]),
        operation: match operation {
            0 => Operation::Insert,
            1 => Operation::Update,
            _ => Operation::Delete,
        },
        is_counted: is_counted == 1,
        row: String::from_utf8(row).map_err(io::Error::other)?,
    };
    Ok((change, 10 + u64::from(length)))
}

/// The transactions that a load's snapshot could see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    xmin: u32,
    xmax: u32,
    running: Vec<u32>,
}

impl Snapshot {
    /// From the text of `txid_current_snapshot()`: `xmin:xmax:running,..`, each with its epoch.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let low = |number: &str| number.parse::<u64>().ok().map(|wide| (wide & 0xFFFF_FFFF) as u32);
        let mut parts = text.split(':');
        let (xmin, xmax) = (low(parts.next()?)?, low(parts.next()?)?);
        let running = parts.next()?.split(',').filter(|number| !number.is_empty()).map(low).collect::<Option<_>>()?;
        Some(Self { xmin, xmax, running })
    }

    /// Committed before the snapshot for certain: such a change is in the loaded rows.
    pub(crate) fn surely_saw(&self, xid: u32) -> bool {
        is_before(xid, self.xmin)
    }

    /// Committed, as everything that a slot gives, and visible to the snapshot.
    pub(crate) fn saw(&self, xid: u32) -> bool {
        is_before(xid, self.xmax) && !self.running.contains(&xid)
    }
}

/// Transaction ids are a circle: the nearer way round decides.
fn is_before(left: u32, right: u32) -> bool {
    (left.wrapping_sub(right) as i32) < 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(xid: u32, size: usize) -> CachedChange {
        CachedChange { xid, operation: Operation::Update, is_counted: xid.is_multiple_of(2), row: "r".repeat(size) }
    }

    #[test]
    fn changes_come_out_in_order_also_through_the_file() {
        let mut cache = CachedChanges::default();
        let mut expected = 0;
        for xid in 0..40 {
            cache.push(change(xid, 512 * 1024)).unwrap();
            if xid.is_multiple_of(5) {
                for taken in cache.take(2).unwrap() {
                    assert_eq!(taken, change(expected, 512 * 1024));
                    expected += 1;
                }
            }
        }

        while !cache.is_empty() {
            for taken in cache.take(3).unwrap() {
                assert_eq!(taken, change(expected, 512 * 1024));
                expected += 1;
            }
        }

        assert_eq!(expected, 40);
        assert!(cache.take(1).unwrap().is_empty());
    }

    #[test]
    fn a_snapshot_tells_what_it_saw() {
        let snapshot = Snapshot::parse("100:105:101,103").unwrap();
        let cases =
            [(99, true, true), (100, false, true), (101, false, false), (102, false, true), (105, false, false)];

        for (xid, surely, saw) in cases {
            assert_eq!((snapshot.surely_saw(xid), snapshot.saw(xid)), (surely, saw), "{xid}");
        }
        let wrapped = Snapshot::parse("4294967297:4294967300:").unwrap();
        assert!(wrapped.surely_saw(u32::MAX) && !wrapped.surely_saw(1) && wrapped.saw(2));
    }
}
