//! Whether DMS keeps up with the source's changes. The large values of a change do not travel with it: DMS reads each such row once
//! more from the source, one after the other, in every LOB mode. A source that writes such rows faster than that never gets to
//! its cutover.
//! Source: AWS DMS user guide, "Setting LOB support for source databases" ("for a CDC load task, the instance migrates all LOBs
//! using a source table lookup"); how many a second is assumed (`copy.dms.lookUpsPerSecond`).

use std::time::{Duration, Instant};

use pgleap_contract::Finding;
use pgleap_pg::{PgError, Session};

use crate::query::Asked;

pub(crate) const ID: &str = "changes-outrun-dms";

/// How long changes are counted at the least: a session reports its own once a second.
const WINDOW: Duration = Duration::from_secs(2);

/// Inserts and updates of tables with large values so far, and the seconds in which they came.
const CHANGES: &str = "\
    SELECT coalesce(sum(pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid)), 0)::bigint, \
           (SELECT extract(epoch FROM now() - d.stats_reset)::float8 FROM pg_stat_database d WHERE d.datname = current_database()) \
    FROM carried c \
    WHERE EXISTS (SELECT FROM pg_attribute a JOIN base_types b ON b.typ = a.atttypid AND (b.is_array OR b.known AND b.typname = ANY ({apart})) \
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '')";

/// How many there were at a moment.
pub(super) struct Mark {
    changes: i64,
    /// Since when the server counts; none if it does not say.
    seconds: Option<f64>,
    at: Instant,
}

pub(super) async fn mark(session: &Session, asked: &Asked) -> Result<Mark, PgError> {
    let sql = asked.fill(&format!("WITH {} {CHANGES}", include_str!("../carried.sql")));
    let row = session.row("count changes of rows with large values", &sql, &[&asked.skipped]).await?;
    Ok(Mark { changes: row.get(0), seconds: row.get(1), at: Instant::now() })
}

/// A verdict on the changes since the mark and in a second window: a transaction counts all its changes when it commits, and
/// what stands in one window only is no rate.
pub(super) async fn check(session: &Session, asked: &Asked, first: &Mark, can: u32) -> Result<Vec<Finding>, PgError> {
    let second = next(session, asked, first).await?;
    let last = next(session, asked, &second).await?;
    Ok(judge(rate(first, &second).min(rate(&second, &last)), average(&last), can).into_iter().collect())
}

async fn next(session: &Session, asked: &Asked, since: &Mark) -> Result<Mark, PgError> {
    tokio::time::sleep_until((since.at + WINDOW).into()).await;
    mark(session, asked).await
}

fn rate(since: &Mark, now: &Mark) -> f64 {
    (now.changes - since.changes).max(0) as f64 / now.at.duration_since(since.at).as_secs_f64()
}

/// An average over less than an hour does not count.
fn average(now: &Mark) -> f64 {
    now.seconds.filter(|seconds| *seconds >= 3_600.0).map_or(0.0, |seconds| now.changes as f64 / seconds)
}

/// An average says less than the current rate: it may include the first filling of the database.
fn judge(now: f64, average: f64, can: u32) -> Option<Finding> {
    let can = f64::from(can);
    let (rate, when) = if now >= average {
        (now, "during preflight")
    } else {
        (average, "on average since the statistics were reset")
    };
    let found = |verdict: &str| {
        format!(
            "rows with large values (text, json, bytea, arrays and the like) were inserted and updated {rate:.0} times per second \
             {when}. DMS reads each of these rows from the source again, about {can:.0} per second: {verdict}"
        )
    };
    let remedy = "start the run when clients write less; if you have measured that DMS reads more rows per second, set copy.dms.lookUpsPerSecond";
    if now > can {
        return Some(Finding::blocker(ID, found("DMS will not keep up, and the cutover would never begin"), remedy));
    }
    (rate > can / 2.0).then(|| Finding::warning(ID, found("DMS may fall behind, and then the cutover waits"), remedy))
}

#[cfg(test)]
mod tests {
    use pgleap_contract::Severity;

    use super::*;

    #[test]
    fn what_outruns_dms_now_is_a_blocker_and_what_comes_close_or_did_so_before_a_warning() {
        let cases = [
            (0.0, 0.0, None),
            (250.0, 10.0, None),
            (251.0, 10.0, Some(Severity::Warning)),
            (10.0, 251.0, Some(Severity::Warning)),
            (10.0, 9_000.0, Some(Severity::Warning)),
            (501.0, 10.0, Some(Severity::Blocker)),
            (501.0, 9_000.0, Some(Severity::Blocker)),
        ];
        for (now, average, expected) in cases {
            assert_eq!(judge(now, average, 500).map(|finding| finding.severity), expected, "{now} {average}");
        }
        let finding = judge(812.4, 3.0, 500).expect("found");
        assert!(finding.found.contains("812 times per second during preflight"), "{}", finding.found);
        assert!(
            finding.found.ends_with("about 500 per second: DMS will not keep up, and the cutover would never begin")
        );
    }
}
