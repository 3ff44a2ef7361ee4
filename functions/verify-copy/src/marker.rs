//! A row that DMS carries in commit order: seen on the target, all that was committed before it is there too.

use std::time::{Duration, Instant};

use pgleap_pg::PgError;

use crate::sums::Sides;

/// How long a marker may take to the target before the rest is left for the next call.
const TIME: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// Write one and wait for it. False: the target is too far behind for now.
pub(crate) async fn arrives(sides: &Sides<'_>) -> Result<bool, PgError> {
    let write = "INSERT INTO pgleap.marker (id, kind) VALUES (gen_random_uuid(), 'verify') RETURNING id::text";
    let id: String = sides.source.row("write a marker", write, &[]).await?.get(0);
    let find = "SELECT EXISTS (SELECT FROM pgleap.marker WHERE id = $1::text::uuid)";
    let began = Instant::now();
    while !sides.target.row("look for the marker", find, &[&id]).await?.get::<_, bool>(0) {
        if began.elapsed() >= TIME {
            return Ok(false);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(true)
}
