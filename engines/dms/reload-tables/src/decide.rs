//! What a look at the task and its tables means.

use pgleap_contract::steps::TableName;
use pgleap_dms::{Ending, Status, TableLoad};

use crate::can_go_on;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is on its way to another status.
    Look(String),
    /// It runs without the limits.
    Stop,
    /// It stands still and lacks the limits.
    Change,
    /// It has the limits and does not run.
    Resume,
    /// It runs with the limits.
    Reload,
    /// It broke.
    Fail,
}

pub(crate) fn decide(status: &Status, ending: Ending, is_set: bool) -> Verdict {
    match status {
        Status::Passing(status) => Verdict::Look(status.clone()),
        Status::Running if is_set => Verdict::Reload,
        Status::Running => Verdict::Stop,
        Status::Stopped | Status::Failed if !can_go_on(ending) => Verdict::Fail,
        Status::Stopped | Status::Failed if is_set => Verdict::Resume,
        Status::Stopped | Status::Failed => Verdict::Change,
        Status::Ready | Status::Deleting => Verdict::Fail,
    }
}

/// Tables by what is to be done about them.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Sorted {
    /// In error since before the task was resumed.
    pub(crate) to_ask: Vec<TableName>,
    /// How many are being loaded.
    pub(crate) loading: usize,
    /// Loaded.
    pub(crate) loaded: Vec<TableName>,
    /// In error again.
    pub(crate) failed: Vec<TableName>,
    /// When the last load ended, in epoch seconds.
    pub(crate) last_end: f64,
}

/// `resumed` is when the task was resumed, in epoch seconds: a load that began later is one of this round.
pub(crate) fn sort(loads: &[TableLoad], resumed: f64) -> Sorted {
    let mut sorted = Sorted::default();
    for table in loads {
        sorted.last_end = sorted.last_end.max(table.ended);
        match table.state.as_str() {
            "Table completed" => sorted.loaded.push(table.name.clone()),
            "Table error" | "Table cancelled" if table.began >= resumed => sorted.failed.push(table.name.clone()),
            "Table error" | "Table cancelled" => sorted.to_ask.push(table.name.clone()),
            _ => sorted.loading += 1,
        }
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_stopped_changed_resumed_and_then_asked() {
        let (good, broken) = (Ending::CachedChangesApplied, Ending::Fatal);
        let cases = [
            (Status::Running, good, false, Verdict::Stop),
            (Status::Running, good, true, Verdict::Reload),
            (Status::Stopped, good, false, Verdict::Change),
            (Status::Stopped, Ending::StoppedByHand, true, Verdict::Resume),
            (Status::Failed, broken, true, Verdict::Fail),
            (Status::Failed, Ending::SlotLost, false, Verdict::Fail),
            (Status::Ready, good, false, Verdict::Fail),
            (Status::Passing("modifying".to_owned()), good, true, Verdict::Look("modifying".to_owned())),
        ];
        for (status, ending, is_set, expected) in cases {
            assert_eq!(decide(&status, ending, is_set), expected, "{status:?} {ending:?} {is_set}");
        }
    }

    #[test]
    fn a_table_is_asked_for_once_a_round() {
        let table = |state: &str, began: f64| {
            let name = TableName { schema: "s".to_owned(), table: format!("{state} {began}") };
            TableLoad { name, state: state.to_owned(), began, ended: began + 1.0 }
        };
        let loads = [
            table("Table error", 5.0),
            table("Table error", 15.0),
            table("Table is being reloaded", 15.0),
            table("Table completed", 12.0),
            table("Before load", 0.0),
        ];

        let sorted = sort(&loads, 10.0);

        assert_eq!(sorted.to_ask, [loads[0].name.clone()]);
        assert_eq!(sorted.failed, [loads[1].name.clone()]);
        assert_eq!(sorted.loaded, [loads[3].name.clone()]);
        assert_eq!((sorted.loading, sorted.last_end), (2, 16.0));
    }
}
