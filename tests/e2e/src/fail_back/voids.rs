//! What the old server cannot follow: each is done on the new server, must be noticed within one interval of the watch, must keep
//! anybody from failing back, and is healed.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use local_aws_control::Message;

use super::Scene;
use super::report::{FailBackReport, VoidReport};
use crate::observer::{Access, connect};
use crate::screen::Screen;
use crate::stage::SOURCE;

/// Something that happens on the new server.
struct Change {
    /// For people.
    name: &'static str,
    sql: &'static str,
    /// What the notification and the refusal must say of it.
    named: &'static str,
    heal: Heal,
}

/// What makes the path good again.
#[derive(Debug, Clone, Copy)]
enum Heal {
    /// It is undone on the new server.
    OnNew(&'static str),
    /// The same is done on the old one.
    OnOld(&'static str),
    /// Nothing does.
    Never,
}

const CHANGES: &[Change] = &[
    Change {
        name: "a new table",
        sql: "CREATE TABLE shop.added_by_somebody (id int PRIMARY KEY); INSERT INTO shop.added_by_somebody VALUES (1)",
        named: "table shop.added_by_somebody: new",
        heal: Heal::OnNew("DROP TABLE shop.added_by_somebody"),
    },
    Change {
        name: "a new column, with a write",
        sql: "ALTER TABLE shop.stock ADD COLUMN added_by_somebody int; UPDATE shop.stock SET added_by_somebody = 7",
        named: "shop.stock",
        heal: Heal::OnOld("ALTER TABLE shop.stock ADD COLUMN added_by_somebody int"),
    },
    Change {
        name: "a large object",
        sql: "SELECT lo_create(424242)",
        named: "large objects",
        heal: Heal::OnNew("SELECT lo_unlink(424242)"),
    },
    Change {
        name: "a role with a grant",
        sql: "CREATE ROLE added_by_somebody; GRANT SELECT ON shop.rates TO added_by_somebody",
        named: "added_by_somebody",
        heal: Heal::OnNew("REVOKE ALL ON shop.rates FROM added_by_somebody; DROP ROLE added_by_somebody"),
    },
    Change {
        name: "a new sequence",
        sql: "CREATE SEQUENCE shop.added_by_somebody_seq",
        named: "shop.added_by_somebody_seq",
        heal: Heal::OnNew("DROP SEQUENCE shop.added_by_somebody_seq"),
    },
    Change {
        name: "the slot is dropped",
        sql: DROP_SLOTS,
        named: "the slot from which the old server follows no longer exists",
        heal: Heal::Never,
    },
];

/// Whoever follows connects again at once, so both are tried until the slot is gone.
const DROP_SLOTS: &str = "DO $$ BEGIN
    WHILE EXISTS (SELECT FROM pg_replication_slots WHERE slot_type = 'logical') LOOP
        BEGIN
            PERFORM pg_terminate_backend(active_pid, 1000) FROM pg_replication_slots WHERE active_pid IS NOT NULL;
            PERFORM pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_type = 'logical';
        EXCEPTION WHEN object_in_use OR undefined_object THEN NULL;
        END;
    END LOOP;
END $$";

/// One interval of the watch, in seconds of AWS.
const INTERVAL: f64 = 900.0;
/// A check takes a moment, and so does a notification.
const MOMENT: Duration = Duration::from_secs(10);
/// What a refusal says behind each change.
const CHANGED: &str = " (changed on the new server since OPEN";
/// The table that `accept` leaves behind.
const TABLE: &str = "shop.added_by_somebody";
const LOOK: Duration = Duration::from_millis(100);

const UNSAFE: &str = "the fail-back path would lose something";
const GOOD_AGAIN: &str = "the fail-back path is good again";

impl Scene<'_> {
    /// One after the other.
    pub(super) async fn make_void(&self, screen: &Screen, report: &mut FailBackReport) -> Result<()> {
        for change in CHANGES {
            report.voids.push(self.happens(change, screen).await.context(change.name)?);
        }
        // As it must be on both sides before the path is closed.
        for access in [self.new_server(), self.old_server()] {
            run_on(&access, "ALTER TABLE shop.stock DROP COLUMN added_by_somebody").await?;
        }
        Ok(())
    }

    /// A new table, which the operator accepts to leave behind: the words in which he does so, as the refusal has them.
    pub(super) async fn accept_new_table(&self, screen: &Screen, report: &mut FailBackReport) -> Result<Vec<String>> {
        let change = Change { heal: Heal::Never, ..CHANGES[0] };
        let void = self.happens(&change, screen).await.context(change.name)?;
        let words = void.named.clone();
        report.voids.push(void);
        report.accepted.push(TABLE.to_owned());
        Ok(words)
    }

    async fn happens(&self, change: &Change, screen: &Screen) -> Result<VoidReport> {
        screen.say(format!("on the new server: {}", change.name));
        let mut void = VoidReport { change: change.name.to_owned(), ..VoidReport::default() };
        let patience = Duration::from_secs_f64(INTERVAL * self.arguments.time_scale()) + MOMENT;
        let read = self.messages().len();
        run_on(&self.new_server(), change.sql).await?;
        let began = Instant::now();
        match self.await_message(read, UNSAFE, change.named, patience).await {
            Some(text) => (void.notified_seconds, void.notified) = (Some(began.elapsed().as_secs_f64()), Some(text)),
            None => void.broken.push(format!("nobody was notified within {:.0} s", patience.as_secs_f64())),
        }
        self.is_refused(change, screen, &mut void).await?;
        let read = self.messages().len();
        let (access, sql) = match change.heal {
            Heal::OnNew(sql) => (self.new_server(), sql),
            Heal::OnOld(sql) => (self.old_server(), sql),
            Heal::Never => return Ok(void),
        };
        run_on(&access, sql).await?;
        void.healed_by = Some(sql.to_owned());
        if self.await_message(read, GOOD_AGAIN, "", patience).await.is_none() {
            void.broken.push(format!("it was not good again within {:.0} s of its healing", patience.as_secs_f64()));
        }
        Ok(void)
    }

    /// Nobody can fail back, and whoever tries is told why.
    async fn is_refused(&self, change: &Change, screen: &Screen, void: &mut VoidReport) -> Result<()> {
        let refused = self.end(self.start(&[]).await?, screen).await?;
        let cause = refused.cause.unwrap_or_default();
        void.refused_with = refused.error.unwrap_or(refused.status);
        void.named = named(&cause);
        if void.refused_with != "FailBackUnsafe" || !cause.contains(change.named) {
            void.broken.push(format!("failing back ended with {}: {cause}", void.refused_with));
        }
        if refused.recoveries.iter().any(|status| status != "SUCCEEDED") {
            void.broken.push(format!("its recoveries ended with {:?}", refused.recoveries));
        }
        Ok(())
    }

    fn new_server(&self) -> Access {
        self.show.stage.access(&self.show.target_instance)
    }

    fn old_server(&self) -> Access {
        self.show.stage.access(SOURCE)
    }

    fn messages(&self) -> Vec<Message> {
        self.show.stage.aws().sns().messages()
    }

    /// The text of the first message after those that were read whose subject and text say so.
    async fn await_message(&self, read: usize, subject: &str, text: &str, patience: Duration) -> Option<String> {
        let began = Instant::now();
        while began.elapsed() < patience {
            let is_it = |one: &Message| one.subject.contains(subject) && one.text.contains(text);
            if let Some(message) = self.messages().into_iter().skip(read).find(is_it) {
                return Some(message.text);
            }
            tokio::time::sleep(LOOK).await;
        }
        None
    }
}

/// The changes of a refusal: `table shop.audit: new (changed on the new server since OPEN; ..); ..`.
fn named(cause: &str) -> Vec<String> {
    let changes = cause.split(CHANGED).collect::<Vec<_>>();
    let (_, before) = changes.split_last().unwrap_or((&"", &[]));
    let word = |part: &&str| part.rsplit("; ").next().unwrap_or_default().to_owned();
    before.iter().map(word).collect()
}

async fn run_on(access: &Access, sql: &str) -> Result<()> {
    connect(access).await?.batch_execute(sql).await.with_context(|| format!("run {sql}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_left_behind_is_accepted_in_the_words_in_which_it_is_named() {
        assert_eq!(CHANGES[0].named, format!("table {TABLE}: new"));
    }

    #[test]
    fn the_changes_of_a_refusal_are_accepted_in_its_own_words() {
        let behind = "(changed on the new server since OPEN; the old server does not have this change)";
        let cause =
            format!("it follows again as soon as it can; index shop.a_pkey: new {behind}; table shop.a: new {behind}");

        assert_eq!(named(&cause), ["index shop.a_pkey: new", "table shop.a: new"]);
        assert_eq!(named("the slot is lost"), Vec::<String>::new());
    }

    #[test]
    fn only_the_last_change_is_final() {
        let finals: Vec<_> = CHANGES.iter().map(|change| matches!(change.heal, Heal::Never)).collect();
        assert_eq!(finals.iter().rposition(|is_final| !is_final), Some(finals.len() - 2));
        assert_eq!(finals.iter().filter(|is_final| **is_final).count(), 1);
    }
}
