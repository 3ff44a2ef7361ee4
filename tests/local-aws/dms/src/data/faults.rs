//! Faults that a test plans: what DMS does in production on a bad day, on demand.
//!
//! Each has a textual form, for a command line. A new one is a variant, its form, and a question in the one place
//! of the data or control plane that can act on it.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

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
    /// `table-error on app.documents in full-lob-mode`: the table's load ends in error while large values travel
    /// whole; in limited mode it works.
    TableErrorInFullLobMode {
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
                at_percent: percent.strip_suffix('%').and_then(|number| number.parse().ok()).ok_or_else(unknown)?,
                below_class: memory_gib(class).map(|_| (*class).to_owned()).ok_or_else(unknown)?,
            }),
            ["table-error", "on", table, "in", "full-lob-mode"] => {
                let (schema, table) = table.split_once('.').ok_or_else(unknown)?;
                Ok(Self::TableErrorInFullLobMode { schema: schema.to_owned(), table: table.to_owned() })
            }
            ["forget-connection-test", times, "times"] => {
                Ok(Self::ForgetConnectionTest { times: times.parse().map_err(|_| unknown())? })
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
            Self::TableErrorInFullLobMode { schema, table } => {
                write!(formatter, "table-error on {schema}.{table} in full-lob-mode")
            }
            Self::ForgetConnectionTest { times } => write!(formatter, "forget-connection-test {times} times"),
            Self::RefuseConnection { endpoint, times } => {
                write!(formatter, "refuse-connection to {endpoint} {times} times")
            }
        }
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
    pub(crate) fn is_out_of_memory(&self, percent: u8, class: &str) -> bool {
        let memory = memory_gib(class);
        self.any(|fault| match fault {
            Fault::OutOfMemory { at_percent, below_class } => {
                percent >= *at_percent && memory < memory_gib(below_class)
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
            "table-error on app.documents in full-lob-mode",
            "forget-connection-test 2 times",
            "refuse-connection to pgleap-demo-source 1 times",
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

        assert!(faults.is_out_of_memory(40, "dms.t3.medium"));
        assert!(!faults.is_out_of_memory(39, "dms.t3.medium"));
        assert!(!faults.is_out_of_memory(90, "dms.t3.large"));
        assert!(!faults.is_out_of_memory(90, "dms.r6i.large"));
    }

    #[test]
    fn counted_faults_end() {
        let faults = Faults::default();
        faults.plan(Fault::ForgetConnectionTest { times: 1 });

        assert!(faults.forgets_connection_test());
        assert!(!faults.forgets_connection_test());
    }
}
