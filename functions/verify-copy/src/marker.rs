//! A row that DMS carries in commit order: seen on the target, all that was committed before it is there too.

use std::time::Duration;

use pgleap_pg::{PgError, marker};

use crate::sums::Sides;

/// How long a marker may take to the target before the rest is left for the next call.
const TIME: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// Write one and wait for it. False: the target is too far behind for now.
pub(crate) async fn arrives(sides: &Sides<'_>) -> Result<bool, PgError> {
    Ok(marker::travel(sides.source, sides.target, "verify", TIME, PAUSE).await?.is_some())
}
