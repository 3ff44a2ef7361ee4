//! How a run comes to a state: plainly, by a failure that leads back, by a recovery, by a repair.

use std::fmt;

use crate::place::machines_of_upgrade;

/// A kind of run, and the options that make it one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// From beginning to end.
    Plain,
    /// A step fails under the fence, and the machine goes back.
    Back,
    /// The execution is stopped under the fence; the recovery goes back.
    RecoverBack,
    /// The execution is stopped after OPEN; the recovery goes forward.
    RecoverForward,
    /// A rule of the security group is missing, and the run adds it.
    Rule,
    /// The same, and the machine goes back.
    RuleBack,
    /// The same, and the recovery goes back.
    RuleRecoverBack,
    /// The same, and the recovery goes forward.
    RuleRecoverForward,
    /// A table with large values is in error in full LOB mode.
    Lobs,
    /// A person is asked, and there is a window.
    Asked,
    /// The native engine copies.
    Native,
    /// The record changes before the fence.
    RecordFirst,
}

/// Every entry with its name and its options. `@window` stands for a file with a window.
const ENTRIES: &[(Entry, &str, &[&str])] = &[
    (Entry::Plain, "plain", &[]),
    (Entry::Back, "back", &["--break", FAILS]),
    (Entry::RecoverBack, "recover-back", &["--break", STOPPED_BEFORE]),
    (Entry::RecoverForward, "recover-forward", &["--break", STOPPED_AFTER]),
    (Entry::Rule, "rule", &["--faults", "security-group"]),
    (Entry::RuleBack, "rule-back", &["--faults", "security-group", "--break", FAILS]),
    (Entry::RuleRecoverBack, "rule-recover-back", &["--faults", "security-group", "--break", STOPPED_BEFORE]),
    (Entry::RuleRecoverForward, "rule-recover-forward", &["--faults", "security-group", "--break", STOPPED_AFTER]),
    (Entry::Lobs, "lobs", &["--faults", "lob-errors"]),
    (Entry::Asked, "asked", &["--break", "approve", "--input-file", WINDOW]),
    (Entry::Native, "native", &["--engine", NATIVE]),
    (Entry::RecordFirst, "record-first", &["--input-file", RECORD_FIRST]),
];

/// The engine that a run with the built-in source does not choose by itself.
const NATIVE: &str = "native";

/// An error that no Retry waits for, once: nothing of it is left for the way back.
const FAILS: &str = "fail:CompleteTarget:FenceFailed:1";
const STOPPED_BEFORE: &str = "stop-execution:DrainSource";
const STOPPED_AFTER: &str = "stop-execution:ConfirmCutover";
/// Always open.
pub const WINDOW: &str = "tests/e2e/matrix/window.json";
/// The record changes before the fence.
pub const RECORD_FIRST: &str = "tests/e2e/matrix/record-first.json";

/// States that not every run enters, and those whose step does another thing for each engine: machine, state, by which entries.
const RARE: &[(&str, &str, &[Entry])] = &[
    ("upgrade", "AuthorizeIngress", &[Entry::Rule]),
    ("upgrade", "FinishFindRule", &[Entry::Rule]),
    ("upgrade", "FinishRevokeIngress", &[Entry::Rule]),
    ("upgrade", "FindRule", &[Entry::RuleBack]),
    ("upgrade", "RevokeIngress", &[Entry::RuleBack]),
    ("upgrade", "MeasureLobs", &[Entry::Lobs]),
    ("upgrade", "ReloadTables", &[Entry::Lobs]),
    ("upgrade", "CompareTables", &[Entry::Lobs]),
    ("upgrade", "RestoreLobMode", &[Entry::Lobs]),
    ("upgrade", "TellRepair", &[Entry::Lobs]),
    ("upgrade", "AskRebootApproval", &[Entry::Asked]),
    ("upgrade", "FindRebootWindow", &[Entry::Asked]),
    ("upgrade", "AskApproval", &[Entry::Asked]),
    ("upgrade", "FindWindow", &[Entry::Asked]),
    ("upgrade", "WatchHeldCutover", &[Entry::Asked]),
    ("upgrade", "ForecastOutage", &[Entry::Asked]),
    ("upgrade", "ArmSwitch", &[Entry::RecordFirst]),
    ("upgrade", "ShutTarget", &[Entry::RecordFirst]),
    ("upgrade", "SwitchRecord", &[Entry::RecordFirst]),
    ("upgrade", "AwaitNameServers", &[Entry::RecordFirst]),
    ("upgrade", "WatchClients", &[Entry::RecordFirst]),
    ("upgrade", "GuardSwitched", &[Entry::RecordFirst]),
    ("upgrade", "FenceSource", &[Entry::Plain, Entry::RecordFirst]),
    ("upgrade", "PrepareSource", &[Entry::Plain, Entry::Native]),
    ("upgrade", "PrepareTarget", &[Entry::Plain, Entry::Native]),
    ("upgrade", "VerifyCopy", &[Entry::Plain, Entry::Native]),
    ("upgrade", "GuardCutover", &[Entry::Plain, Entry::Native]),
    ("upgrade", "DrainSource", &[Entry::Plain, Entry::Native]),
    ("upgrade", "FinishDatabases", &[Entry::Plain, Entry::Native]),
    ("recover", "FindRule", &[Entry::RuleRecoverBack, Entry::RuleRecoverForward]),
    ("recover", "RevokeIngress", &[Entry::RuleRecoverBack, Entry::RuleRecoverForward]),
    ("recover", "ResumeJobs", &[Entry::RecoverForward]),
    ("recover", "SettleTarget", &[Entry::RecoverForward]),
];
/// The first state of the way back.
pub const WAY_BACK: &str = "UnfenceSource";

impl Entry {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Entry> {
        ENTRIES.iter().map(|(entry, _, _)| *entry)
    }

    /// The options of `rehearsal run`.
    pub fn options(self) -> Vec<String> {
        let found = ENTRIES.iter().find(|(entry, _, _)| *entry == self).map(|(_, _, options)| *options);
        found.unwrap_or_default().iter().map(|option| (*option).to_owned()).collect()
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        ENTRIES.iter().find(|(_, known, _)| *known == name).map(|(entry, _, _)| *entry)
    }

    /// The entries by which a state is entered. `leads_forward` says that it can be reached without the way back.
    pub fn of(machine: &str, state: &str, leads_forward: bool) -> &'static [Entry] {
        if let Some((_, _, entries)) = RARE.iter().find(|(of, name, _)| *of == machine && *name == state) {
            return entries;
        }
        if engine_of(machine, state) == Some(NATIVE) {
            return &[Entry::Native];
        }
        match (machine, leads_forward) {
            ("recover", _) => &[Entry::RecoverBack, Entry::RecoverForward],
            (_, false) => &[Entry::Back],
            (_, true) => &[Entry::Plain],
        }
    }
}

/// The engine whose state it is; none for a state of every run.
fn engine_of(machine: &str, state: &str) -> Option<&'static str> {
    machines_of_upgrade().find(|known| known.name == machine)?.engine_of(state)
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = ENTRIES.iter().find(|(entry, _, _)| entry == self).map_or("", |(_, name, _)| name);
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn every_entry_is_a_run_that_can_be_asked_for() {
        for entry in Entry::all() {
            let options = entry.options();
            let words = ["rehearsal".to_owned(), "run".to_owned()].into_iter().chain(options);
            assert!(crate::cli::Cli::try_parse_from(words).is_ok(), "{entry}");
            assert_eq!(Entry::named(&entry.to_string()), Some(entry));
        }
    }
    /// The built-in source is copied by DMS unless an entry says otherwise.
    #[test]
    fn a_state_of_an_engine_is_entered_by_a_run_with_that_engine() {
        for machine in machines_of_upgrade() {
            for (state, definition) in machine.states().iter().filter(|(_, state)| state["Type"] == "Task") {
                let Some(engine) = machine.engine_of(state) else { continue };
                for entry in Entry::of(&machine.name, state, true) {
                    let is_native = entry.options().contains(&NATIVE.to_owned());
                    assert_eq!(is_native, engine == NATIVE, "{state} by {entry}: {definition:?}");
                }
            }
        }
        assert_eq!(Entry::of("upgrade", "CatchUp", true), [Entry::Native]);
    }
}
