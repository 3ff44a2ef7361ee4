//! PostgreSQL for the steps: names resolved afresh, TLS verified by name, logins that never print, SQL put together
//! safely. Knows nothing of AWS.

pub mod access;
pub mod chores;
pub mod clients;
mod connect;
mod environment;
mod error;
pub mod expressions;
pub mod fail_back;
pub mod fingerprint;
pub mod identifying;
mod login;
mod lsn;
pub mod marker;
mod quote;
mod resolve;
pub mod search_path;
pub mod sequences;
pub mod slot;
pub mod slots;
mod tls;
pub mod watch;
mod without_values;

pub use connect::{Session, connect, connect_bounded};
pub use environment::Environment;
pub use error::{PgError, PgErrorKind};
pub use login::Login;
pub use lsn::{Lsn, LsnError};
pub use quote::{ident, literal, qualified};
pub use resolve::{ResolveError, resolve};
pub use tokio_postgres::error::SqlState;
pub use without_values::without_values;
