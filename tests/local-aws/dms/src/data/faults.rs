//! Faults that a test plans: what DMS does in production on a bad day, on demand.
//!
//! Each has a textual form, for a command line. A new one is a variant, its form, and a question in the one place
//! of the data or control plane that can act on it.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::catalog::memory_gib;

/// A planned fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `out-of-memory at 40% while class < dms.t3.large`: the task fails when its load has come so far on an
    /// instance with less memory than the named class.
    OutOfMemory {
        /// `FullLoadProgressPercent` at which it happens.
        at_percent: u8,
        /// Instances of this class and larger ones are spared.
        below_class: String,
    },
    /// `out-of-memory at 10% with 5 GiB and 8 GiB by appetite`: the load takes a fixed part of memory and one that goes
    /// with the task's appetite (tables at once and rows of a commit, the second part being that of the defaults); the
    /// task fails when its load has come so far on an instance with less.
    HungryLoad {
        /// `FullLoadProgressPercent` at which it happens.
        at_percent: u8,
        /// Whatever the settings say.
        fixed_gib: u32,
        /// With 8 tables at once and 10,000 rows a commit.
        by_appetite_gib: u32,
    },
    /// `disk-full at 30% below 100 GiB`: the instance's disk is full when a load has come so far on an instance with less
    /// storage, and the task stops.
    DiskFull {
        /// `FullLoadProgressPercent` at which it happens.
        at_percent: u8,
        /// Instances with so much storage are spared.
        below_gib: u32,
    },
    /// `reboot-instance at 30%`: the replication instance restarts, once, when a load has come so far.
    RebootInstance {
        /// `FullLoadProgressPercent` at which it happens.
        at_percent: u8,
        /// It has not happened yet.
        is_to_come: bool,
    },
    /// `table-error on app.documents in full-lob-mode`: the table's load ends in error while large values travel
    /// whole; in limited mode it works.
    TableErrorInFullLobMode {
        /// Schema.
        schema: String,
        /// Table.
        table: String,
    },
    /// `table-error on app.documents in every-mode`: the table's load ends in error however large values travel.
    TableErrorInEveryMode {
        /// Schema.
        schema: String,
        /// Table.
        table: String,
    },
    /// `forget-connection-test 2 times`: a successful test is forgotten when a task starts.
    ForgetConnectionTest {
        /// How many starts it happens to.
        times: u32,
    },
    /// `refuse-connection to <endpoint identifier> 2 times`: a test of that endpoint runs into a time-out.
    RefuseConnection {
        /// The endpoint.
        endpoint: String,
        /// How many tests it happens to.
        times: u32,
    },
    /// `look-ups take 2 ms`: each large value that is read apart from its row, in the load or of a change, takes so long: a
    /// round trip to the source and one to the target, one after the other.
    LookUpsTake {
        /// For one value's row.
        milliseconds: u32,
    },
    /// `changes wait 2000 ms`: so long DMS gathers changes before it applies them.
    ChangesWait {
        /// From the commit of the first one.
        milliseconds: u32,
    },
}

/// A text that is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read fault: {0} is none of those that DMS can have")]
pub struct UnknownFault(String);

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let unknown = || UnknownFault(text.to_owned());
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["out-of-memory", "at", percent, "while", "class", "<", class] => Ok(Self::OutOfMemory {
                at_percent: percent_of(percent).ok_or_else(unknown)?,
                below_class: memory_gib(class).map(|_| (*class).to_owned()).ok_or_else(unknown)?,
            }),
            ["out-of-memory", "at", percent, "with", fixed, "GiB", "and", by_appetite, "GiB", "by", "appetite"] => {
                Ok(Self::HungryLoad {
                    at_percent: percent_of(percent).ok_or_else(unknown)?,
                    fixed_gib: fixed.parse().map_err(|_| unknown())?,
                    by_appetite_gib: by_appetite.parse().map_err(|_| unknown())?,
                })
            }
            ["disk-full", "at", percent, "below", gib, "GiB"] => Ok(Self::DiskFull {
                at_percent: percent_of(percent).ok_or_else(unknown)?,
                below_gib: gib.parse().map_err(|_| unknown())?,
            }),
            ["reboot-instance", "at", percent] => {
                Ok(Self::RebootInstance { at_percent: percent_of(percent).ok_or_else(unknown)?, is_to_come: true })
            }
            ["table-error", "on", table, "in", "full-lob-mode"] => {
                let (schema, table) = table.split_once('.').ok_or_else(unknown)?;
                Ok(Self::TableErrorInFullLobMode { schema: schema.to_owned(), table: table.to_owned() })
            }
            ["table-error", "on", table, "in", "every-mode"] => {
                let (schema, table) = table.split_once('.').ok_or_else(unknown)?;
                Ok(Self::TableErrorInEveryMode { schema: schema.to_owned(), table: table.to_owned() })
            }
            ["forget-connection-test", times, "times"] => {
                Ok(Self::ForgetConnectionTest { times: times.parse().map_err(|_| unknown())? })
            }
            ["look-ups", "take", milliseconds, "ms"] => {
                Ok(Self::LookUpsTake { milliseconds: milliseconds.parse().map_err(|_| unknown())? })
            }
            ["changes", "wait", milliseconds, "ms"] => {
                Ok(Self::ChangesWait { milliseconds: milliseconds.parse().map_err(|_| unknown())? })
            }
            ["refuse-connection", "to", endpoint, times, "times"] => Ok(Self::RefuseConnection {
                endpoint: (*endpoint).to_owned(),
                times: times.parse().map_err(|_| unknown())?,
            }),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfMemory { at_percent, below_class } => {
                write!(formatter, "out-of-memory at {at_percent}% while class < {below_class}")
            }
            Self::HungryLoad { at_percent, fixed_gib, by_appetite_gib } => write!(
                formatter,
                "out-of-memory at {at_percent}% with {fixed_gib} GiB and {by_appetite_gib} GiB by appetite"
            ),
            Self::DiskFull { at_percent, below_gib } => {
                write!(formatter, "disk-full at {at_percent}% below {below_gib} GiB")
            }
            Self::RebootInstance { at_percent, .. } => write!(formatter, "reboot-instance at {at_percent}%"),
            Self::TableErrorInFullLobMode { schema, table } => {
                write!(formatter, "table-error on {schema}.{table} in full-lob-mode")
            }
            Self::TableErrorInEveryMode { schema, table } => {
                write!(formatter, "table-error on {schema}.{table} in every-mode")
            }
            Self::ForgetConnectionTest { times } => write!(formatter, "forget-connection-test {times} times"),
            Self::LookUpsTake { milliseconds } => write!(formatter, "look-ups take {milliseconds} ms"),
            Self::ChangesWait { milliseconds } => write!(formatter, "changes wait {milliseconds} ms"),
            Self::RefuseConnection { endpoint, times } => {
                write!(formatter, "refuse-connection to {endpoint} {times} times")
            }
        }
    }
}

fn percent_of(text: &str) -> Option<u8> {
    text.strip_suffix('%')?.parse().ok()
}

/// What a load takes at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Appetite {
    /// `MaxFullLoadSubTasks`.
    pub(crate) tables: usize,
    /// `CommitRate`.
    pub(crate) rows: usize,
}

impl Appetite {
    /// Against that of the defaults.
    fn share(self) -> f64 {
        (self.tables as f64 / 8.0) * (self.rows as f64 / 10_000.0)
    }
}

/// The faults still to come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    planned: Arc<Mutex<Vec<Fault>>>,
}

impl Faults {
    /// Plan one more.
    pub(crate) fn plan(&self, fault: Fault) {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    /// Whether a load that has come so far on such an instance runs out of memory.
    pub(crate) fn is_out_of_memory(&self, percent: u8, class: &str, appetite: Appetite) -> bool {
        let memory = memory_gib(class);
        self.any(|fault| match fault {
            Fault::HungryLoad { at_percent, fixed_gib, by_appetite_gib } => {
                let needed = f64::from(*fixed_gib) + f64::from(*by_appetite_gib) * appetite.share();
                percent >= *at_percent && memory.is_some_and(|memory| f64::from(memory) < needed)
            }
            Fault::OutOfMemory { at_percent, below_class } => {
                percent >= *at_percent && memory < memory_gib(below_class)
            }
            _ => false,
        })
    }

    /// Whether the disk of an instance with so much storage is full when a load has come so far.
    pub(crate) fn fills_disk(&self, percent: u8, storage_gib: u32) -> bool {
        self.any(|fault| match fault {
            Fault::DiskFull { at_percent, below_gib } => percent >= *at_percent && storage_gib < *below_gib,
            _ => false,
        })
    }

    /// Whether the instance restarts when a load has come so far.
    pub(crate) fn reboots_instance(&self, percent: u8) -> bool {
        self.any(|fault| match fault {
            Fault::RebootInstance { at_percent, is_to_come } => {
                percent >= *at_percent && std::mem::replace(is_to_come, false)
            }
            _ => false,
        })
    }

    /// Whether a table cannot be loaded in full LOB mode.
    pub(crate) fn fails_in_full_lob_mode(&self, schema: &str, table: &str) -> bool {
        self.any(|fault| {
            matches!(fault, Fault::TableErrorInFullLobMode { schema: of, table: named } if of == schema && named == table)
        })
    }

    /// Whether a table cannot be loaded at all.
    pub(crate) fn fails_in_every_mode(&self, schema: &str, table: &str) -> bool {
        self.any(|fault| {
            matches!(fault, Fault::TableErrorInEveryMode { schema: of, table: named } if of == schema && named == table)
        })
    }

    /// Whether this start forgets the tests; counts it.
    pub(crate) fn forgets_connection_test(&self) -> bool {
        self.any(|fault| match fault {
            Fault::ForgetConnectionTest { times } => take_one(times),
            _ => false,
        })
    }

    /// Whether this test of an endpoint finds no network; counts it.
    pub(crate) fn refuses_connection(&self, tested: &str) -> bool {
        self.any(|fault| match fault {
            Fault::RefuseConnection { endpoint, times } => endpoint == tested && take_one(times),
            _ => false,
        })
    }

    /// What it takes to read the large values of so many rows, one after the other.
    pub(crate) async fn look_up(&self, rows: usize) {
        let takes = self.milliseconds(|fault| match fault {
            Fault::LookUpsTake { milliseconds } => Some(*milliseconds),
            _ => None,
        });
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        tokio::time::sleep(Duration::from_millis(takes).saturating_mul(rows)).await;
    }

    /// How long changes are gathered, from the first one's commit on: what has piled up is older than that and goes at once.
    pub(crate) async fn gather(&self, age_seconds: f64) {
        let wait = self.milliseconds(|fault| match fault {
            Fault::ChangesWait { milliseconds } => Some(*milliseconds),
            _ => None,
        });
        let age = Duration::try_from_secs_f64(age_seconds).unwrap_or(Duration::ZERO);
        tokio::time::sleep(Duration::from_millis(wait).saturating_sub(age)).await;
    }

    fn milliseconds(&self, of: impl Fn(&Fault) -> Option<u32>) -> u64 {
        let planned = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        planned.iter().find_map(of).unwrap_or(0).into()
    }

    fn any(&self, happens: impl FnMut(&mut Fault) -> bool) -> bool {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner).iter_mut().any(happens)
    }
}

fn take_one(times: &mut u32) -> bool {
    let left = *times > 0;
    *times = times.saturating_sub(1);
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_and_written() {
        for text in [
            "out-of-memory at 40% while class < dms.t3.large",
            "out-of-memory at 10% with 5 GiB and 8 GiB by appetite",
            "disk-full at 30% below 100 GiB",
            "reboot-instance at 30%",
            "table-error on app.documents in full-lob-mode",
            "table-error on app.documents in every-mode",
            "forget-connection-test 2 times",
            "refuse-connection to pgleap-demo-source 1 times",
            "look-ups take 2 ms",
            "changes wait 2000 ms",
        ] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "out-of-memory",
            "out-of-memory at 4x while class < dms.t3.large",
            "out-of-memory at 40% while class < db.t3.large",
        ] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }

    #[test]
    fn memory_runs_out_only_on_smaller_instances() {
        let faults = Faults::default();
        faults.plan("out-of-memory at 40% while class < dms.t3.large".parse().unwrap());

        let usual = Appetite { tables: 8, rows: 10_000 };
        assert!(faults.is_out_of_memory(40, "dms.t3.medium", usual));
        assert!(!faults.is_out_of_memory(39, "dms.t3.medium", usual));
        assert!(!faults.is_out_of_memory(90, "dms.t3.large", usual));
        assert!(!faults.is_out_of_memory(90, "dms.r6i.large", usual));
    }

    #[test]
    fn a_load_with_a_small_appetite_needs_less_memory() {
        let faults = Faults::default();
        faults.plan("out-of-memory at 10% with 5 GiB and 8 GiB by appetite".parse().unwrap());
        let (usual, small) = (Appetite { tables: 8, rows: 10_000 }, Appetite { tables: 2, rows: 1_000 });
        let cases = [
            ("dms.t3.medium", usual, true),
            ("dms.t3.medium", small, true),
            ("dms.t3.large", usual, true),
            ("dms.t3.large", small, false),
            ("dms.r6i.large", usual, false),
        ];
        for (class, appetite, expected) in cases {
            assert_eq!(faults.is_out_of_memory(10, class, appetite), expected, "{class}, {appetite:?}");
        }
        assert!(!faults.is_out_of_memory(9, "dms.t3.medium", usual));
    }

    #[test]
    fn a_disk_is_full_only_where_it_is_small() {
        let faults = Faults::default();
        faults.plan("disk-full at 30% below 100 GiB".parse().unwrap());

        let full = [(29, 50), (30, 50), (30, 99), (30, 100)].map(|(percent, gib)| faults.fills_disk(percent, gib));

        assert_eq!(full, [false, true, true, false]);
    }

    #[test]
    fn an_instance_restarts_once() {
        let faults = Faults::default();
        faults.plan("reboot-instance at 30%".parse().unwrap());

        let seen: Vec<bool> = [29, 30, 31].map(|percent| faults.reboots_instance(percent)).to_vec();

        assert_eq!(seen, [false, true, false]);
    }

    #[test]
    fn counted_faults_end() {
        let faults = Faults::default();
        faults.plan(Fault::ForgetConnectionTest { times: 1 });

        assert!(faults.forgets_connection_test());
        assert!(!faults.forgets_connection_test());
    }
}
