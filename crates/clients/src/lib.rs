//! Clients that do not follow the record: they read the host from a secret, or a function of the
//! operator's moves them.
//!
//! A secret that applications read is changed in two calls. `PutSecretValue` stores a new version under a label of the run,
//! which no application reads. `UpdateSecretVersionStage` then moves the label AWSCURRENT from exactly the version that was
//! read to the new one. Secrets Manager refuses this if AWSCURRENT is elsewhere, so it is a compare-and-swap: a rotation in
//! between is never undone. (docs/decisions/0082-clients-that-read-a-secret.md)

mod hook;
mod host;
mod secret;
mod version;

pub use hook::{Configuration, Direction, Event, Hooks};
pub use secret::{Current, Described, LeadsTo, Moved, Secrets, Way};
