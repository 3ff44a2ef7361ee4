//! Every disturbance at every state and at every AWS operation: a matrix that is read from the machines and from what the
//! functions were seen to call, and rehearsed cell by cell.

pub mod cells;
pub mod entry;
pub mod plan;
pub mod results;
mod survey;
pub mod table;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use crate::cli::MatrixArguments;
use crate::process::{file_name, rehearse};
use cells::{Cell, cells};
use plan::{Run, chosen, runs, sample};
use results::{Line, Results, commit};

/// Longest rehearsal of one cell. The slowest that end well take two minutes.
const LONGEST: Duration = Duration::from_secs(420);
/// The same in a sample, which must be over in time.
const LONGEST_OF_SAMPLE: Duration = Duration::from_secs(150);

/// Rehearse what is asked for; true if every cell that was rehearsed was as promised.
pub async fn run(arguments: &MatrixArguments) -> Result<bool> {
    let commit = commit()?;
    let folder = arguments.results.join(&commit);
    if arguments.survey {
        return survey::write(&folder, arguments.only.as_deref()).await;
    }
    let calls = survey::read()?;
    let all = cells(&calls);
    let wanted = chosen(&all, arguments.only.as_deref());
    if arguments.list {
        wanted.iter().for_each(|cell| say(&plan::line(cell)));
        return Ok(true);
    }
    let results = Results::open(&folder, arguments.resume)?;
    let missing: Vec<&Cell> = wanted.into_iter().filter(|cell| results.of(&cell.name()).is_none()).collect();
    let mut runs = runs(&missing);
    if arguments.sample.is_some() {
        runs = sample(runs, &commit);
    }
    say(&format!("{} cells in {} runs, results in {}", missing.len(), runs.len(), folder.display()));
    let shared = Arc::new(Mutex::new(results));
    let kept = rehearse_all(runs, arguments, &folder, &shared).await?;
    let results = shared.lock().await;
    let page = table::page(&commit, &all, &survey::unseen(&calls)?, &results);
    let path = folder.join("matrix.md");
    std::fs::write(&path, page).with_context(|| format!("write {}", path.display()))?;
    say(&table::counts(&all, &results));
    say(&format!("table: {}", path.display()));
    Ok(kept)
}

async fn rehearse_all(
    runs: Vec<Run>,
    arguments: &MatrixArguments,
    folder: &Path,
    results: &Arc<Mutex<Results>>,
) -> Result<bool> {
    let (began, budget) = (Instant::now(), arguments.sample.map(Duration::from_secs));
    let longest = if budget.is_some() { LONGEST_OF_SAMPLE } else { LONGEST };
    let places = Arc::new(Semaphore::new(arguments.jobs.max(1)));
    let is_over = Arc::new(AtomicBool::new(false));
    let mut all = JoinSet::new();
    for run in runs {
        let place = Arc::clone(&places).acquire_owned().await.context("wait for a place")?;
        // One that began near the end would not be over in time.
        if is_over.load(Ordering::Relaxed) || budget.is_some_and(|budget| began.elapsed() + longest > budget) {
            break;
        }
        let (folder, results, is_over) = (folder.to_owned(), Arc::clone(results), Arc::clone(&is_over));
        all.spawn(async move {
            let kept = rehearse_run(&run, &folder, longest, &results).await;
            is_over.fetch_or(kept.is_err(), Ordering::Relaxed);
            drop(place);
            kept
        });
    }
    // All of them, whatever one ends with: each has servers to stop.
    let ended = all.join_all().await;
    ended.into_iter().try_fold(true, |kept, one| Ok(kept & one?))
}

/// One run. If one that several cells share is not as promised, each is rehearsed alone, so that each has its own result.
async fn rehearse_run(run: &Run, folder: &Path, longest: Duration, results: &Mutex<Results>) -> Result<bool> {
    let ended = rehearse(&run.options(), &folder.join(file_name(&run.name())), longest).await?;
    if !ended.broken.is_empty() && run.cells.len() > 1 {
        say(&format!("{:<64} not as promised; running each cell alone now: {}", run.name(), ended.broken.join("; ")));
        let mut kept = true;
        for alone in run.alone() {
            kept &= Box::pin(rehearse_run(&alone, folder, longest, results)).await?;
        }
        return Ok(kept);
    }
    let verdict =
        if ended.broken.is_empty() { "as promised".to_owned() } else { format!("FAILED  {}", ended.broken.join("; ")) };
    say(&format!("{:<64} {:>4} s  {verdict}", run.name(), ended.seconds));
    for cell in &run.cells {
        let line = Line { cell: cell.clone(), options: run.options(), with: run.cells.len() - 1, ended: ended.clone() };
        results.lock().await.add(line)?;
    }
    Ok(ended.broken.is_empty())
}

#[expect(clippy::print_stdout, reason = "a table for people and scripts")]
fn say(text: &str) {
    println!("{text}");
}
