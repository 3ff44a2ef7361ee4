//! A refused upgrade leaves the instance available on its old version: the status alone does not tell. So each hop is
//! noted on the instance before it is asked for, with the time of the last event until then, and what RDS says after
//! that is about this hop.
//! Source: Amazon RDS user guide, "How to perform a major version upgrade for RDS for PostgreSQL".

use pgleap_contract::redact;
use pgleap_contract::steps::UpgradeHop;
use pgleap_rds::{Instance, LogFile, Rds, text_of};
use pgleap_step_kit::prelude::*;

/// Tag on the target: `18.4 1700000000000`, the version and the moment in milliseconds.
const NOTE: &str = "pgleap:upgrade";

/// Longest part of a log in an error, in bytes: what was found stands at its end.
const LONGEST_LOG: usize = 4_000;
/// .. and of one line of it.
const LONGEST_LINE: usize = 400;
/// What is kept of a log while its pages arrive: more than an error shows, because pg_upgrade echoes the statements that
/// create the roles, and a password's verifier is only recognised while its beginning is there.
const LONGEST_RAW: usize = 64 * 1024;
/// .. and of one line of it.
const LONGEST_RAW_LINE: usize = 8 * 1024;

/// RDS has no code for these events in DescribeEvents, only text.
/// Source: Amazon RDS user guide, "Amazon RDS event categories and event messages", RDS-EVENT-0158 and 0270.
const REFUSALS: [&str; 5] =
    ["cannot be upgraded", "could not be upgraded", "rolled back", "upgrade failed", "unable to upgrade"];

/// An upgrade that was asked for, or is just about to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// In milliseconds since the epoch.
    after: i64,
}

impl Attempt {
    /// What was noted for this version.
    pub(crate) fn noted_on(copy: &Instance, version: &str) -> Option<Self> {
        let (noted, moment) = copy.tags.get(NOTE)?.split_once(' ')?;
        let after = moment.parse().ok()?;
        (noted == version).then_some(Self { after })
    }

    /// Note it, in the place of an earlier hop.
    pub(crate) async fn note(rds: &Rds, name: &str, copy: &Instance, version: &str) -> StepResult<()> {
        let events = rds.events(name, None).await?;
        let last = events.iter().filter_map(|event| event.at).max().unwrap_or(0);
        let doing = format!("record the upgrade of instance {name}");
        Ok(rds.add_tag(copy.arn()?, NOTE, &format!("{version} {last}"), doing).await?)
    }

    /// The target is not to live with the note.
    pub(crate) async fn forget(rds: &Rds, copy: &Instance) -> StepResult<()> {
        if copy.tags.contains_key(NOTE) {
            let arn = copy.arn()?;
            rds.remove_tags(arn, &[NOTE], format!("remove the note of the upgrade from {arn}")).await?;
        }
        Ok(())
    }

    /// Fail with RDS's own words if it said no. If it said nothing, the request never arrived or has not begun: it may be
    /// sent again.
    pub(crate) async fn refuse_if_refused(
        self,
        rds: &Rds,
        name: &str,
        copy: &Instance,
        hop: &UpgradeHop,
    ) -> StepResult<()> {
        let events = rds.events(name, Some(self.after)).await?;
        if !events.iter().filter_map(|event| event.message.as_deref()).any(is_refusal) {
            return Ok(());
        }
        let version = &copy.version;
        let log = match log(rds, name).await {
            Ok(log) => log,
            Err(error) => format!("cannot be read: {error}"),
        };
        let text = text_of(&events);
        let message =
            format!("upgrade instance {name} from {version} to {}: refused; events: {text}; log: {log}", hop.version);
        Err(StepError::new(ErrorCode::UpgradeRefused, message))
    }
}

fn is_refusal(message: &str) -> bool {
    let message = message.to_lowercase();
    REFUSALS.iter().any(|words| message.contains(words))
}

/// What the logs say of it: the precheck's, or that of `pg_upgrade` and the one that it names as telling more.
async fn log(rds: &Rds, name: &str) -> StepResult<String> {
    let files = rds.logs(name, "pg_upgrade").await?;
    if let Some(precheck) = newest(&files, "precheck") {
        return end_of(rds, name, precheck).await;
    }
    let Some(internal) = newest(&files, "internal") else { return Ok("there is no log".to_owned()) };
    let text = end_of(rds, name, internal).await?;
    match named_log(&text).and_then(|named| newest(&files, named)) {
        Some(named) => end_of(rds, name, named).await,
        None => Ok(text),
    }
}

fn newest<'a>(files: &'a [LogFile], words: &str) -> Option<&'a str> {
    let named = files.iter().filter(|file| file.name.contains(words));
    named.max_by_key(|file| file.last_written).map(|file| file.name.as_str())
}

/// The file in `Consult the last few lines of "folder/file" for the probable cause of the failure.`
fn named_log(text: &str) -> Option<&str> {
    let (_, rest) = text.rsplit_once("last few lines of \"")?;
    let (path, _) = rest.split_once('"')?;
    path.rsplit('/').next()
}

/// The end of a log, page by page, as whole lines: a page may end anywhere.
#[derive(Default)]
struct Tail {
    raw: String,
    /// Where the last line begins.
    line: usize,
}

impl Tail {
    fn push(&mut self, page: &str) {
        for piece in page.split_inclusive('\n') {
            let (text, ends) = piece.strip_suffix('\n').map_or((piece, false), |text| (text, true));
            let room = LONGEST_RAW_LINE.saturating_sub(self.raw.len() - self.line);
            self.raw.push_str(&text[..text.floor_char_boundary(room)]);
            if ends {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        if self.raw.len() - self.line + 3 >= LONGEST_RAW_LINE {
            // It was cut, perhaps in a password: the lines after it are no part of that.
            let clean = redact(&self.raw[self.line..]);
            self.raw.truncate(self.line);
            self.raw.push_str(&clean);
        }
        self.raw.push('\n');
        self.line = self.raw.len();
        self.forget_the_beginning();
    }

    fn forget_the_beginning(&mut self) {
        let surplus = self.raw.len().saturating_sub(LONGEST_RAW);
        if let Some(end) = self.raw[self.raw.ceil_char_boundary(surplus)..].find('\n').filter(|_| surplus > 0) {
            self.raw.drain(..self.raw.ceil_char_boundary(surplus) + end + 1);
            self.line = self.raw.len();
        }
    }

    /// The end, without secrets, of lines that are cut: one statement may name every table.
    fn shown(&self) -> String {
        let cut = |line: &str| line[..line.floor_char_boundary(LONGEST_LINE)].to_owned();
        let lines = redact(&self.raw).split('\n').map(cut).collect::<Vec<_>>().join("\n");
        lines[lines.ceil_char_boundary(lines.len().saturating_sub(LONGEST_LOG))..].to_owned()
    }
}

/// A log's name and its end, where what was found stands.
async fn end_of(rds: &Rds, name: &str, file: &str) -> StepResult<String> {
    let mut tail = Tail::default();
    rds.read_log(name, file, |page| tail.push(page)).await?;
    Ok(format!("{file}: {}", tail.shown().trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_rds::Tags;

    #[test]
    fn a_note_is_about_one_version() {
        let copy =
            |note: &str| Instance { tags: Tags::from([(NOTE.to_owned(), note.to_owned())]), ..Instance::default() };
        let attempt = Some(Attempt { after: 1_700_000_000_123 });
        let cases = [
            ("18.4 1700000000123", "18.4", attempt),
            ("17.6 1700000000123", "18.4", None),
            ("18.4", "18.4", None),
            ("18.4 soon", "18.4", None),
        ];
        for (note, version, wanted) in cases {
            assert_eq!(Attempt::noted_on(&copy(note), version), wanted, "{note}");
        }
    }

    #[test]
    fn what_matters_of_a_log_outlives_a_statement_that_names_every_table() {
        let log = format!(
            "{}\nERROR: out of shared memory\nQuery was: LOCK TABLE {}",
            "x\n".repeat(9_000),
            "t, ".repeat(9_000)
        );

        let mut tail = Tail::default();
        tail.push(&log);
        let short = tail.shown();

        assert!(short.contains("out of shared memory") && short.len() <= LONGEST_LOG, "{short}");
    }

    #[test]
    fn no_verifier_of_a_log_is_shown_wherever_its_pages_and_lines_are_cut() {
        let roles: String = (0..200)
            .map(|n| format!("ALTER ROLE r{n} WITH LOGIN PASSWORD 'SCRAM-SHA-256$4096:c2FsdA==$U3RvcmVkS2V5:U2VydmVyS2V5';\nALTER ROLE m{n} PASSWORD 'md5a3556571e93b0d20722ba62be61e8c2d';\n"))
            .collect();
        let long = format!("{}PASSWORD 'SCRAM-SHA-256$4096:c2FsdA==$U3RvcmVkS2V5:U2VydmVyS2V5'", "x ".repeat(4_080));
        let log = format!("{roles}{long}\nERROR: unrecognized configuration parameter\n");
        for page in [1, 7, 97, 1_000, 4_096, log.len()] {
            let mut tail = Tail::default();
            log.as_bytes().chunks(page).for_each(|page| tail.push(std::str::from_utf8(page).unwrap()));

            let shown = tail.shown();

            assert!(shown.contains("ERROR: unrecognized"), "{shown}");
            let seen = ["SCRAM-SHA-256$", "U3Rv", "ServerKey", "U2Vy", "a3556571", "be61e8c2d"];
            assert_eq!(seen.iter().find(|part| shown.contains(**part)), None, "pages of {page}: {shown}");
        }
    }

    #[test]
    fn pg_upgrade_names_the_log_that_tells_more() {
        let cases = [
            (
                "Consult the last few lines of \"/data/log/pg_upgrade_dump_16400.log\" for\nthe probable cause of the failure.",
                Some("pg_upgrade_dump_16400.log"),
            ),
            ("Consult the last few lines of \"pg_upgrade_server.log\" for", Some("pg_upgrade_server.log")),
            ("All non-template0 databases must allow connections", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(named_log(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_refusal_is_told_from_what_else_happens() {
        let cases = [
            ("Database instance is in a state that cannot be upgraded: PreUpgrade checks failed: ..", true),
            ("The database engine version upgrade failed. The upgrade was rolled back.", true),
            ("Upgrade precheck started.", false),
            ("DB instance restarted", false),
            ("Finished applying modification to allocated storage.", false),
        ];
        for (message, refused) in cases {
            assert_eq!(is_refusal(message), refused, "{message}");
        }
    }
}
