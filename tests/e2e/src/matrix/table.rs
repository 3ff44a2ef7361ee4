//! The results as a page of Markdown: counts, a table of states, a table of operations, what broke, what stands for what.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::cells::{Cell, Fate, OF_OPERATION, OF_STATE, Part, Rule};
use super::results::{Line, Results};

/// How a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Kept,
    Broken,
    Equal,
    NotRun,
}

impl Mark {
    fn sign(self) -> &'static str {
        match self {
            Mark::Kept => "ok",
            Mark::Broken => "**FAILED**",
            Mark::Equal => "=",
            Mark::NotRun => "not run",
        }
    }
}

fn mark(cell: &Cell, results: &Results) -> Mark {
    match (&cell.fate, results.of(&cell.name())) {
        (Fate::Equal { .. }, _) => Mark::Equal,
        (_, None) => Mark::NotRun,
        (_, Some(line)) if line.ended.broken.is_empty() => Mark::Kept,
        _ => Mark::Broken,
    }
}

/// The page.
pub(super) fn page(commit: &str, cells: &[Cell], unseen: &[String], results: &Results) -> String {
    let mut page = format!("# Results of every disturbance, commit {commit}\n\n");
    page += &counts(cells, results);
    page += "\n`ok`: as promised. `=`: another cell covers this one (see below). The promise before OPEN: the run succeeds, or the \
             source serves as before and nothing is left behind. The promise after OPEN: the target serves, no row is lost, and the \
             run is completed, if necessary after a person has repaired something.\n";
    page += &table("States", cells, results, OF_STATE);
    page += &table("AWS operations, by the state whose function calls them", cells, results, OF_OPERATION);
    page += &failures(cells, results);
    page += &equals(cells);
    if !unseen.is_empty() {
        let _ = writeln!(page, "\n## Listed in a policy, but not called in any run, so not tested\n");
        unseen.iter().for_each(|action| page += &format!("- {action}\n"));
    }
    page
}

/// How many cells of each part, how they stand, and what they took.
pub(super) fn counts(cells: &[Cell], results: &Results) -> String {
    let mut text =
        "| part | cells | as promised | failed | covered by another | not run |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for (part, words) in [(Part::BeforeArm, "before arm-deadline"), (Part::AfterArm, "from arm-deadline to the end")] {
        let of_part: Vec<_> = cells.iter().filter(|cell| cell.part == part).map(|cell| mark(cell, results)).collect();
        let count = |wanted| of_part.iter().filter(|mark| **mark == wanted).count();
        let _ = writeln!(
            text,
            "| {words} | {} | {} | {} | {} | {} |",
            of_part.len(),
            count(Mark::Kept),
            count(Mark::Broken),
            count(Mark::Equal),
            count(Mark::NotRun)
        );
    }
    let lines: Vec<&Line> = cells.iter().filter_map(|cell| results.of(&cell.name())).collect();
    // A run that several cells shared took its time once.
    let seconds: f64 = lines.iter().map(|line| line.ended.seconds as f64 / (line.with + 1) as f64).sum();
    let lost: u64 = lines.iter().map(|line| line.ended.lost).sum();
    let _ = writeln!(text, "\nRows lost: {lost}. Duration: {:.0} s for {} cells.", seconds, lines.len());
    text
}

fn table(title: &str, cells: &[Cell], results: &Results, columns: &[&str]) -> String {
    let mut rows: Vec<(&str, BTreeMap<&str, Mark>)> = Vec::new();
    for cell in cells.iter().filter(|cell| columns.contains(&cell.column)) {
        if rows.last().is_none_or(|(row, _)| *row != cell.row) {
            rows.push((&cell.row, BTreeMap::new()));
        }
        if let Some((_, marks)) = rows.last_mut() {
            marks.insert(cell.column, mark(cell, results));
        }
    }
    let mut text = format!("\n## {title}\n\n| |{}|\n|---{}|\n", columns.join("|"), "|---".repeat(columns.len()));
    for (row, marks) in rows {
        let signs = columns.iter().map(|column| marks.get(column).map_or("", |mark| mark.sign()));
        let _ = writeln!(text, "| {row} | {} |", signs.collect::<Vec<_>>().join(" | "));
    }
    text
}

fn failures(cells: &[Cell], results: &Results) -> String {
    let failed = cells.iter().filter_map(|cell| results.of(&cell.name())).filter(|line| !line.ended.broken.is_empty());
    let mut text = String::new();
    for line in failed {
        let ended = &line.ended;
        let _ = writeln!(
            text,
            "- {} (`{}`): machine {}, recoveries {:?}, {} rows lost: {}",
            line.cell,
            line.options.join(" "),
            ended.machine,
            ended.recoveries,
            ended.lost,
            ended.broken.join("; ")
        );
    }
    if text.is_empty() { text } else { format!("\n## What was not as promised\n\n{text}") }
}

fn equals(cells: &[Cell]) -> String {
    let mut by_rule: BTreeMap<Rule, BTreeSet<String>> = BTreeMap::new();
    for cell in cells {
        if let Fate::Equal { to, rule } = &cell.fate {
            by_rule.entry(*rule).or_default().insert(format!("{} = {to}", cell.name()));
        }
    }
    let mut text = "\n## Cells that another cell covers\n".to_owned();
    for (rule, names) in by_rule {
        let _ = writeln!(text, "\n### Because {}\n", rule.words());
        names.iter().for_each(|name| text += &format!("- {name}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::entry::Entry;
    use crate::process::Ended;

    #[test]
    fn a_cell_that_was_not_run_counts_as_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let mut results = Results::open(folder.path(), false).unwrap();
        let run = || Fate::Run { entry: Entry::Plain, disturbance: "zombie:FenceSource".to_owned(), shares: false };
        let cell = |column, fate| Cell { row: "FenceSource".to_owned(), column, part: Part::AfterArm, fate };
        let equal = Fate::Equal { to: "FenceSource: zombie".to_owned(), rule: Rule::LostAndDead };
        let cells =
            [cell("zombie", run()), cell("stopped", run()), cell("killed before", run()), cell("lost and dead", equal)];
        let line = |cell: &str, broken: &[&str]| Line {
            cell: cell.to_owned(),
            options: Vec::new(),
            with: 0,
            ended: Ended {
                broken: broken.iter().map(|text| (*text).to_owned()).collect(),
                lost: 3,
                ..Ended::default()
            },
        };
        results.add(line("FenceSource: zombie", &[])).unwrap();
        results.add(line("FenceSource: stopped", &["3 rows were lost"])).unwrap();

        let page = page("abc", &cells, &["fence-source kms:Decrypt".to_owned()], &results);

        assert!(page.contains("| from arm-deadline to the end | 4 | 1 | 1 | 1 | 1 |"), "{page}");
        assert!(page.contains("| FenceSource | not run |  | = | ok | **FAILED** |  |  |"), "{page}");
        assert!(page.contains("Rows lost: 6.") && page.contains("3 rows were lost"), "{page}");
        assert!(page.contains("FenceSource: lost and dead = FenceSource: zombie"), "{page}");
        assert!(page.contains("- fence-source kms:Decrypt"), "{page}");
    }
}
