//! What follows an upgrade with `failBack`: the old server follows the new one, until somebody fails back or the path is closed.
//!
//! Failing back is a cutover with both sides exchanged, so it is watched as the upgrade is: by a fence watch and an observer that
//! have the new server as their source, and by the same clients, whose times are cut where it begins.

mod attempt;
mod clean_up;
mod closing;
mod report;
mod voids;

pub use report::{Attempt, Checks, FailBackReport, VoidReport};

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cli::RunArguments;
use crate::clients::{Kind, Timelines, now};
use crate::disturbance::Disturbance;
use crate::observer::{DrainPoint, FenceTimes, connect};
use crate::proof::{self, Addresses};
use crate::report::Outage;
use crate::scenario::{Armed, Means};
use crate::screen::Screen;
use crate::show::Show;
use crate::stage::Stage;
use pgleap_cli::history::History;

/// How a fail-back path ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Ending {
    /// Everybody returns to the old server.
    Return,
    /// The same, although a table was created on the new server: the operator accepts that it is left behind.
    Accept,
    /// Nobody fails back until the path closes.
    Expire,
    /// What the old server cannot follow happens on the new one. Failing back is refused each time.
    Void,
}

/// Seconds of an hour.
const HOUR: f64 = 3_600.0;
/// For how long the path is kept, unless the input says otherwise.
const KEEP_HOURS: u32 = 72;
/// In the rehearsal in which the path expires, 72 hours are 6.5 minutes. At the usual scale they would be 43.
const SCALE_OF_EXPIRY: f64 = 0.0015;

impl Ending {
    /// What the execution's input has beside the usual.
    pub fn input() -> Value {
        json!({ "failBack": { "keepHours": KEEP_HOURS } })
    }

    /// The time scale, unless the command line says otherwise.
    pub fn time_scale(self) -> Option<f64> {
        (self == Ending::Expire).then_some(SCALE_OF_EXPIRY)
    }

    fn name(self) -> &'static str {
        match self {
            Ending::Return => "return",
            Ending::Accept => "accept",
            Ending::Expire => "expire",
            Ending::Void => "void",
        }
    }
}

/// What was seen after the upgrade.
pub(crate) struct AfterUpgrade {
    /// From here on the clients' times belong to failing back, in epoch seconds; never, if nobody failed back.
    pub(crate) since: f64,
    /// What was seen of the upgrade's fence until then.
    pub(crate) fence: FenceTimes,
    /// What led everybody back.
    pub(crate) back: Option<Back>,
    /// Disturbances of failing back.
    pub(crate) armed: Vec<Armed>,
    pub(crate) report: FailBackReport,
}

/// Everything that is there while what follows the upgrade is played.
struct Scene<'a> {
    show: &'a Show,
    arguments: &'a RunArguments,
    means: &'a Means,
    run_id: String,
    /// For so long the path is kept, by the stand-in's clock.
    kept: Duration,
}

/// The attempt to fail back that succeeded.
pub(crate) struct Back {
    since: f64,
    fence: FenceTimes,
    drain: Option<DrainPoint>,
    history: History,
}

/// The disturbances that belong to failing back; those of recoveries belong to it where it is disturbed too.
pub(crate) fn disturbances(all: &[Disturbance]) -> (Vec<Disturbance>, Vec<Disturbance>) {
    let is_of_it = |one: &Disturbance| one.place().is_some_and(|place| place.is_of_fail_back());
    let is_disturbed = all.iter().any(is_of_it);
    let is_of_recovery = |one: &Disturbance| one.place().is_some_and(|place| place.is_of_recovery());
    all.iter().cloned().partition(|one| is_of_it(one) || (is_disturbed && is_of_recovery(one)))
}

/// Play what follows the upgrade. The target serves, and the fail-back path is open.
pub(crate) async fn play(
    show: &Show,
    (arguments, ending): (&RunArguments, Ending),
    input: &Value,
    means: &Means,
    screen: &mut Screen,
) -> Result<AfterUpgrade> {
    let hours = input["failBack"]["keepHours"].as_f64().context("the input has no failBack.keepHours")?;
    let kept = Duration::from_secs_f64(hours * HOUR * arguments.time_scale());
    let scene = Scene { show, arguments, means, run_id: run_id(show)?, kept };
    let mut report = FailBackReport { ending: ending.name().to_owned(), ..FailBackReport::default() };
    if matches!(ending, Ending::Return | Ending::Accept) {
        scene.write_to_new_server(screen).await?;
        let accepted = match ending {
            Ending::Accept => scene.accept_new_table(screen, &mut report).await?,
            _ => Vec::new(),
        };
        let (fence, since) = (show.fence.times(), now());
        let (back, armed) = scene.fail_back(&accepted, screen, &mut report).await?;
        return Ok(AfterUpgrade { since, fence, back, armed, report });
    }
    if ending == Ending::Void {
        scene.make_void(screen, &mut report).await?;
        scene.close(screen).await?;
    } else {
        screen.say(format!("the fail-back path closes in {:.0} s of this computer's time", kept.as_secs_f64()));
    }
    scene.await_closed(screen, &mut report).await?;
    Ok(AfterUpgrade { since: f64::INFINITY, fence: show.fence.times(), back: None, armed: Vec::new(), report })
}

/// The schedule that closes a fail-back path is named after its run.
fn run_id(show: &Show) -> Result<String> {
    let names = show.stage.aws().scheduler().names();
    let of_path = names.iter().find_map(|name| name.strip_prefix("pgleap-")?.strip_suffix("-close-fail-back"));
    Ok(of_path.context("the upgrade left no schedule of a fail-back path")?.to_owned())
}

/// A table that no client writes to: what it holds at the end was written after the second TRUNCATE.
const TRUNCATE: &str = "TRUNCATE shop.rates;
    INSERT INTO shop.rates (currency, rate) SELECT 'N' || lpad(n::text, 2, '0'), n FROM generate_series(1, 25) AS n";
/// With the native engine, clients truncate two tables of one foreign key themselves, on the old server. From now on the rehearsal
/// does: an observer's snapshot of a table is empty once that is truncated.
const TRUNCATE_WIDE: &str = "DELETE FROM wide.truncated_on; TRUNCATE wide.emptied, wide.of_emptied;
    INSERT INTO wide.emptied SELECT n FROM generate_series(1, 25) AS n;
    INSERT INTO wide.of_emptied SELECT n, n FROM generate_series(1, 25) AS n";
/// The comparison of the upgrade's drain point reads both sides at leisure.
const LONGEST_COMPARISON: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(100);

impl Scene<'_> {
    /// Clients write as before. The rehearsal itself truncates tables, twice.
    async fn write_to_new_server(&self, screen: &Screen) -> Result<()> {
        let began = Instant::now();
        while !self.show.drain.is_finished() && began.elapsed() < LONGEST_COMPARISON {
            tokio::time::sleep(LOOK).await;
        }
        let seconds = self.arguments.write_seconds;
        screen.say(format!("clients write to the new server for {seconds} s before everybody returns to the old one"));
        let part = Duration::from_secs(seconds).div_f64(3.0);
        for _ in 0..2 {
            tokio::time::sleep(part).await;
            self.truncate().await?;
        }
        tokio::time::sleep(part).await;
        Ok(())
    }

    /// An operator's dump has tables of its own.
    async fn truncate(&self) -> Result<()> {
        let new = connect(&self.show.stage.access(&self.show.target_instance)).await?;
        let of_rehearsal = self.arguments.dump.is_none();
        let is_wide = of_rehearsal && self.show.kinds.contains(&Kind::Wide);
        for sql in [(TRUNCATE, of_rehearsal), (TRUNCATE_WIDE, is_wide)].iter().filter(|(_, is_there)| *is_there) {
            new.batch_execute(sql.0).await.context("truncate tables of the new server")?;
        }
        Ok(())
    }
}

impl AfterUpgrade {
    /// Fill in what could be seen only when the clients had stopped.
    pub(crate) async fn conclude(
        &mut self,
        (stage, target_instance, role): (&Stage, &str, &str),
        addresses: Addresses,
        seen: impl Fn(f64, f64) -> Timelines,
    ) -> Result<()> {
        let report = &mut self.report;
        if let (Some(back), Some(exchanged)) = (&self.back, addresses.exchanged()) {
            let before = seen(0.0, back.since);
            report.writes_on_new_server = before.together.writes_on(exchanged.source);
            let timelines = seen(back.since, f64::INFINITY);
            let outage = proof::of_outage(&timelines, exchanged, &back.fence, back.drain.as_ref(), &back.history);
            report.outage = Some(Outage { forecast: back.history.gate().cloned(), ..outage });
            if let Some(drain) = &back.drain {
                report.take(drain.clone());
            }
        }
        report.left_behind = clean_up::left_behind(stage, target_instance).await?;
        report.left_behind.extend(clean_up::not_closed(stage, target_instance, role, self.back.is_some()).await?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parted(texts: &[&str]) -> (Vec<String>, Vec<String>) {
        let all: Vec<Disturbance> = texts.iter().map(|text| text.parse().unwrap()).collect();
        let words = |some: Vec<Disturbance>| some.iter().map(ToString::to_string).collect();
        let (back, forward) = disturbances(&all);
        (words(back), words(forward))
    }

    #[test]
    fn a_disturbance_belongs_to_the_machine_whose_state_it_names() {
        let (back, forward) = parted(&["lose:fail-back/DrainSource", "lose:PrepareFailBack"]);
        assert_eq!((back.len(), forward.len()), (1, 1), "{back:?} {forward:?}");
        let (back, forward) = parted(&["stop-execution:fail-back/DrainSource", "lose:recover/UnfenceSource"]);
        assert_eq!((back.len(), forward.len()), (2, 0));
        let (back, forward) = parted(&["stop-execution:DrainSource", "lose:recover/UnfenceSource"]);
        assert_eq!((back.len(), forward.len()), (0, 2));
    }
}
