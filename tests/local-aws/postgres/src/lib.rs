//! Real PostgreSQL servers for the stand-in: found, made, started, copied, upgraded, and never left behind.
//!
//! What an RDS instance does is RDS's affair (`local-aws-rds`); this crate only knows clusters. It hides what would
//! otherwise be in every test: servers refuse to run as root, libraries must be named for one process only, two
//! majors need two sets of programs, and a test that is killed must not leave a server running.
//!
//! Start with [`Scratch`], [`Binaries`] and [`Servers`]; a [`Cluster`] comes from [`Servers::create_cluster`].

mod addresses;
mod backup;
mod binaries;
mod cluster;
mod config;
mod error;
mod files;
mod outlet;
mod program;
mod scratch;
mod server_user;
mod servers;
mod standby;
mod templates;
mod tls;
mod upgrade;

pub use addresses::{LoopbackAddresses, free_port};
pub use backup::Backup;
pub use binaries::Binaries;
pub use cluster::{Cluster, Shutdown};
pub use config::{Encryption, Listen, ServerFiles, Setting};
pub use error::Error;
pub use outlet::{Outlet, Route};
pub use scratch::Scratch;
pub use servers::{ADMIN, Durability, REPLICATOR, Servers};
pub use tls::{CertificateAuthority, ServerCertificate, connect, connect_over_tls};
pub use upgrade::UpgradeFailure;

/// What the functions of this crate answer.
pub type Result<T> = std::result::Result<T, Error>;
