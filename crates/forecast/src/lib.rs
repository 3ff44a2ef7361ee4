//! The outage that a cutover will cause, and when the record is best switched. Pure: the callers measure.
//!
//! A client that is connected is out from the fence to OPEN. It then reconnects by the record's name, so the change of the
//! record is part of its outage unless every name server has it before the fence. If the record is switched first, clients
//! that open a session meanwhile are refused by the target until it is open.

mod limit;
mod outage;
mod switch;

pub use limit::{TooLong, too_long};
pub use outage::{Measured, Step, forecast};
pub use switch::{Clients, Lost, decide, when_lost};
