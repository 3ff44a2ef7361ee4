//! What a database is made of, as its catalogs say: read on the source before the run and under the fence, and at the end
//! on the target, normalised by one list of known differences between majors, compared.
//!
//! The run is judged by this and not by what its steps say of themselves: an index that got another name, a trigger
//! that stayed off, a grant that was lost, a login that was left behind are all differences.

mod compare;
mod fenced;
mod known;
mod read;
mod reparse;

pub use compare::{SchemaDifference, compare};
pub use fenced::as_fenced;
pub use known::{KNOWN_DIFFERENCES, KnownDifference, normalise};
pub use read::{prepare, read, read_prepared};
pub use reparse::print_alike;

use std::collections::BTreeMap;
use std::fmt;

/// One object: `index`, `shop.orders_open`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    /// `table`, `column`, `constraint`, ..
    pub kind: String,
    /// Its name, quoted and qualified as SQL would want it.
    pub name: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// What is known of one object: `definition`, `owner`, `grants`, .. to text.
pub type Facts = BTreeMap<String, String>;

/// The catalogs of one database, and what is shared by all databases of its server, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Major version of the server.
    pub major: u16,
    /// Everything in it.
    pub objects: BTreeMap<ObjectName, Facts>,
}
