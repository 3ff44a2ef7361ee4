//! The observer: looks at both databases as the platform's own superuser, from beside the run.
//!
//! Equality of two databases that are written to can be judged at one moment only: after the drain, before OPEN. The
//! run knows nothing of the observer. The host of the functions holds the first call of `open-target` until the observer
//! has opened a snapshot on each side, for three seconds at most; then the observer reads at leisure. The clients' outage
//! contains that hold, and the report shows it as a part of its own.

mod afresh;
mod differing;
mod drain;
mod fence;
mod meter;
mod rows;
mod sequences;
mod views;

pub use drain::{AT_DRAIN_POINT, DrainPoint, DrainWatch};
pub use fence::{FenceTimes, FenceWatch, LockOut};
pub use meter::{Meter, Reading};
pub use rows::TableComparison;
pub use sequences::SequenceComparison;
pub use views::ViewAge;

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio_postgres::{Client, Config, NoTls};

/// How to reach an instance's server as the superuser, in the database that is upgraded; `None` while it is not
/// running or does not exist.
pub type Access = Arc<dyn Fn() -> Option<Config> + Send + Sync>;

/// Settings that make both majors print every value alike.
const ALIKE: &str = "
    SET extra_float_digits = 1; SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres';
    SET bytea_output = 'hex'; SET xmlbinary = 'base64'; SET lc_monetary = 'C'; SET search_path = '';
    SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0";

/// Schemas that are the run's or DMS's own, not the user's.
const OF_THE_RUN: &str = "('pgleap', 'pgleap_copy')";

/// Settings that a database has for its applications and that would mislead the observer: names that are quoted on one
/// side only, statements that are cut off.
const OWN_SETTINGS: &str = "-c quote_all_identifiers=off -c statement_timeout=0 -c lock_timeout=0 \
                            -c idle_in_transaction_session_timeout=0 -c default_transaction_read_only=off";

/// Connect as the superuser.
pub async fn connect(access: &Access) -> Result<Client> {
    let mut config = access().context("the server is not running")?;
    let options = config.get_options().map_or(OWN_SETTINGS.to_owned(), |given| format!("{OWN_SETTINGS} {given}"));
    config.options(options);
    let (client, connection) = config.connect(NoTls).await.context("connect as the superuser")?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the observer's connection ended");
        }
    });
    Ok(client)
}
