//! Which cells are rehearsed, and which of them share a run.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::cells::{Cell, Fate, Part};
use super::entry::Entry;

/// Transactions a second: enough to lose some, and two rehearsals fit beside each other on two cores.
const TPS: u32 = 120;
/// The most disturbances of one run: each costs it a few seconds.
const SHARED: usize = 12;

/// One rehearsal with the cells that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// How the states are entered.
    pub entry: Entry,
    /// The cells' names.
    pub cells: Vec<String>,
    /// For `--break`, of each cell.
    pub disturbances: Vec<String>,
}

impl Run {
    /// What it is called: its cell, or the first of several.
    pub fn name(&self) -> String {
        let first = self.cells.first().map(String::as_str).unwrap_or_default();
        match self.cells.len() {
            0 | 1 => first.to_owned(),
            all => format!("{first} and {} more", all - 1),
        }
    }

    /// The options of `rehearsal run`.
    pub fn options(&self) -> Vec<String> {
        let mut options = self.entry.options();
        options.extend(["--tps".to_owned(), TPS.to_string()]);
        for one in self.disturbances.iter().flat_map(|all| all.split(' ')) {
            options.extend(["--break".to_owned(), one.to_owned()]);
        }
        options
    }

    /// Each cell in a run of its own.
    pub fn alone(&self) -> Vec<Run> {
        let each = self.cells.iter().zip(&self.disturbances);
        each.map(|(cell, one)| Run { entry: self.entry, cells: vec![cell.clone()], disturbances: vec![one.clone()] })
            .collect()
    }
}

/// The cells whose name contains a text, or matches it where it has a `*`.
pub fn chosen<'a>(cells: &'a [Cell], only: Option<&str>) -> Vec<&'a Cell> {
    let is_meant = |cell: &&Cell| match only {
        None => true,
        Some(pattern) if pattern.contains('*') => matches(pattern, &cell.name()),
        Some(text) => cell.name().contains(text),
    };
    cells.iter().filter(is_meant).collect()
}

/// `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, rest)) => text.strip_prefix(before).is_some_and(|text| {
            let tails = text.char_indices().map(|(at, _)| &text[at..]).chain([""]);
            tails.into_iter().any(|tail| matches(rest, tail))
        }),
    }
}

/// The runs for these cells, those under the fence first: they matter most. Cells that may share a run do so by entry and
/// column, no two of one state in one run: a state gives up after a number of failures.
pub fn runs(cells: &[&Cell]) -> Vec<Run> {
    let (mut runs, mut shared) = (Vec::new(), BTreeMap::<(Entry, &str, usize), Vec<Run>>::new());
    let mut of_state = BTreeMap::<(&str, &str), usize>::new();
    let (later, sooner): (Vec<&Cell>, Vec<&Cell>) = cells.iter().partition(|cell| cell.part == Part::BeforeArm);
    for cell in sooner.into_iter().chain(later) {
        let Fate::Run { entry, disturbance, shares } = &cell.fate else { continue };
        let run = Run { entry: *entry, cells: vec![cell.name()], disturbances: vec![disturbance.clone()] };
        if !shares {
            runs.push(run);
            continue;
        }
        let state = cell.row.split(' ').next().unwrap_or_default();
        let nth = of_state.entry((state, cell.column)).or_default();
        shared.entry((*entry, cell.column, *nth)).or_default().push(run);
        *nth += 1;
    }
    let groups = shared.into_values().flat_map(|group| group.chunks(SHARED).map(<[Run]>::to_vec).collect::<Vec<_>>());
    runs.extend(groups.filter_map(|group| group.into_iter().reduce(together)));
    runs
}

fn together(mut one: Run, other: Run) -> Run {
    one.cells.extend(other.cells);
    one.disturbances.extend(other.disturbances);
    one
}

/// The runs of one cell each, in an order that depends on the commit: whoever rehearses the first few has others with
/// each commit.
pub fn sample(mut runs: Vec<Run>, commit: &str) -> Vec<Run> {
    runs.retain(|run| run.cells.len() == 1);
    runs.sort_by_key(|run| Sha256::digest(format!("{commit} {}", run.name())));
    runs
}

/// One cell for the list.
pub fn line(cell: &Cell) -> String {
    match &cell.fate {
        Fate::Run { entry, disturbance, .. } => format!("{:<72} {entry}: {disturbance}", cell.name()),
        Fate::Equal { to, .. } => format!("{:<72} = {to}", cell.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(row: &str, column: &'static str, shares: bool) -> Cell {
        let fate = Fate::Run { entry: Entry::Plain, disturbance: format!("kill:{row}"), shares };
        Cell { row: row.to_owned(), column, part: Part::BeforeArm, fate }
    }

    #[test]
    fn cells_share_a_run_but_never_two_of_one_state() {
        let cells = [
            cell("A", "killed before", true),
            cell("B", "killed before", true),
            cell("A rds:X", "throttled", true),
            cell("A rds:Y", "throttled", true),
            cell("B rds:X", "throttled", true),
            cell("C", "stopped", false),
        ];

        let runs = runs(&cells.iter().collect::<Vec<_>>());

        let mut names: Vec<_> = runs.iter().map(|run| run.cells.join(", ")).collect();
        names.sort();
        let expected = [
            "A rds:X: throttled, B rds:X: throttled",
            "A rds:Y: throttled",
            "A: killed before, B: killed before",
            "C: stopped",
        ];
        assert_eq!(names, expected);
        assert_eq!(runs.iter().find(|run| run.cells.len() == 2).map(|run| run.alone().len()), Some(2));
    }

    #[test]
    fn cells_are_chosen_by_a_part_of_their_name_or_a_pattern() {
        let cells =
            [cell("FenceSource", "zombie", false), cell("FenceSource", "stopped", false), cell("A", "zombie", false)];
        let count = |only| chosen(&cells, only).len();

        assert_eq!((count(None), count(Some("zombie")), count(Some("FenceSource: "))), (3, 2, 2));
        assert_eq!((count(Some("Fence*: zombie")), count(Some("Fence*")), count(Some("*stop"))), (1, 2, 0));
    }

    #[test]
    fn another_commit_has_another_sample() {
        let cells: Vec<_> = ["A", "B", "C", "D", "E", "F"].map(|row| cell(row, "zombie", false)).into();
        let first = |commit: &str| sample(runs(&cells.iter().collect::<Vec<_>>()), commit).first().map(Run::name);

        assert_eq!(first("abc"), first("abc"));
        assert!(["b", "c", "d", "e", "f", "g"].iter().any(|commit| first(commit) != first("abc")));
    }
}
