//! What the target's server must be set to so that the source can follow it after OPEN (`failBack`): it decodes its WAL, it keeps
//! WAL for the source's slot up to a limit and no further, and it has room for one more slot and its sender.
//! Source: PostgreSQL documentation, "Logical Replication", "Configuration Settings"; max_slot_wal_keep_size;
//! idle_replication_slot_timeout (18).

use std::ops::RangeInclusive;

use pgleap_pg::Session;

use crate::StepResult;

/// Slots of the run itself take no room from others: a repeated call meets the one that it is about.
const SETTINGS: &str = "
    SELECT current_setting('wal_level'),
           (SELECT s.setting::bigint FROM pg_settings s WHERE s.name = 'max_slot_wal_keep_size'),
           coalesce((SELECT s.setting::bigint FROM pg_settings s WHERE s.name = 'idle_replication_slot_timeout'), 0),
           current_setting('max_replication_slots')::bigint
               - (SELECT count(*) FROM pg_replication_slots s WHERE s.slot_name NOT LIKE 'pgleap\\_%'),
           current_setting('max_wal_senders')::bigint
               - (SELECT count(*) FROM pg_stat_replication r WHERE r.usename NOT LIKE 'pgleap\\_%')";

/// The server's own settings, as far as failing back depends on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `wal_level`.
    pub wal_level: String,
    /// `max_slot_wal_keep_size` in MB; -1: no limit.
    pub keep_mb: i64,
    /// `idle_replication_slot_timeout` in seconds; 0: never, or a major without it.
    pub idle_seconds: i64,
    /// Slots that are free.
    pub free_slots: i64,
    /// WAL senders that are free.
    pub free_senders: i64,
}

/// Ask the server: a parameter group says what is wanted, and not what is so.
///
/// # Errors
/// The server does not answer.
pub async fn read(server: &Session) -> StepResult<Settings> {
    let row = server.row("read the settings of logical replication", SETTINGS, &[]).await?;
    Ok(Settings {
        wal_level: row.get(0),
        keep_mb: row.get(1),
        idle_seconds: row.get(2),
        free_slots: row.get(3),
        free_senders: row.get(4),
    })
}

impl Settings {
    /// What is not as it must be, if the limit of `max_slot_wal_keep_size` must be in this range; none is good.
    pub fn wrong(&self, keep_mb: RangeInclusive<i64>) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.wal_level != "logical" {
            wrong.push(format!("wal_level is {} instead of logical (rds.logical_replication = 1)", self.wal_level));
        }
        if !keep_mb.contains(&self.keep_mb) {
            let wanted = match (keep_mb.start(), keep_mb.end()) {
                (least, most) if least == most => format!("{least} MB"),
                (least, _) => format!("a limit of {least} MB or more"),
            };
            wrong.push(format!("max_slot_wal_keep_size is {} MB instead of {wanted}", self.keep_mb));
        }
        if self.idle_seconds != 0 {
            wrong.push(format!("idle_replication_slot_timeout is {} s instead of 0", self.idle_seconds));
        }
        if self.free_slots < 1 {
            wrong.push("all slots of max_replication_slots are in use".to_owned());
        }
        if self.free_senders < 1 {
            wrong.push("all WAL senders of max_wal_senders are in use".to_owned());
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_that_would_make_failing_back_impossible_is_named() {
        let good = Settings {
            wal_level: "logical".to_owned(),
            keep_mb: 47_683,
            idle_seconds: 0,
            free_slots: 1,
            free_senders: 1,
        };
        let cases = [
            (good.clone(), ""),
            (Settings { wal_level: "replica".to_owned(), ..good.clone() }, "wal_level is replica"),
            (Settings { keep_mb: -1, ..good.clone() }, "max_slot_wal_keep_size is -1 MB instead of 47683 MB"),
            (Settings { keep_mb: 1_000, ..good.clone() }, "max_slot_wal_keep_size is 1000 MB"),
            (Settings { idle_seconds: 60, ..good.clone() }, "idle_replication_slot_timeout is 60 s"),
            (Settings { free_slots: 0, ..good.clone() }, "max_replication_slots"),
            (Settings { free_senders: 0, ..good.clone() }, "max_wal_senders"),
        ];
        for (settings, expected) in cases {
            let wrong = settings.wrong(47_683..=47_683);

            assert_eq!(wrong.len(), usize::from(!expected.is_empty()), "{settings:?}: {wrong:?}");
            assert!(wrong.concat().contains(expected), "{settings:?}: {wrong:?}");
        }
        assert_eq!(good.wrong(1..=i64::MAX), [""; 0]);
        assert_eq!(
            Settings { keep_mb: -1, ..good }.wrong(1..=i64::MAX),
            ["max_slot_wal_keep_size is -1 MB instead of a limit of 1 MB or more"]
        );
    }
}
