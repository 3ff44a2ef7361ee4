//! How long each phase takes: the delays of AWS, and the work that grows with the database.

use pgleap_contract::steps::{PlanRunInput, PlannedPhase, STEPS, StepInfo};
use pgleap_contract::{CopyEngine, Phase};

use crate::rates::Rates;
use crate::{delays, dms, native};

/// What a phase is made of.
struct Made {
    phase: Phase,
    /// AWS's delays but for the copy engine's, unscaled.
    delay: f64,
    /// Everything else.
    work: f64,
    /// What is left of delays that began in an earlier phase, scaled.
    left: f64,
}

/// Phases in the order of the run, named as reports name them.
pub(crate) fn expect(input: &PlanRunInput, rates: &Rates, cutover_seconds: f64) -> Vec<PlannedPhase> {
    let reboots = !input.load.logical;
    let planned = |made: Made| phase(input, rates, &made, reboots);
    let mut phases: Vec<PlannedPhase> = before_the_load(input, rates, reboots).into_iter().map(planned).collect();
    let load = match input.run.copy.engine.traits().keeps_rows_of_snapshot {
        true => seeded_by_snapshot(input, rates, &phases),
        false => loaded_anew(input, rates),
    };
    phases.extend(load.into_iter().chain(cutover(input, rates, cutover_seconds)).map(planned));
    phases
}

fn phase(input: &PlanRunInput, rates: &Rates, made: &Made, reboots: bool) -> PlannedPhase {
    let of_dms = if input.run.copy.engine == CopyEngine::Dms { dms::delay(made.phase) } else { 0.0 };
    let delay_seconds = (made.delay + of_dms) * rates.delay_scale + made.left;
    let steps: Vec<String> = steps_of(made.phase, input.run.copy.engine)
        .filter(|step| reboots || *step != "reboot-source")
        .map(str::to_owned)
        .collect();
    let seconds = delay_seconds + made.work + rates.step_seconds * steps.len() as f64;
    PlannedPhase { name: made.phase.name().to_owned(), seconds, delay_seconds, steps }
}

/// Those that every upgrade calls. What the steps under the fence take is the outage's, and the record, which is swapped
/// there, is looked at once more when the target is open.
fn steps_of(phase: Phase, engine: CopyEngine) -> impl Iterator<Item = &'static str> {
    let runs = move |step: &&StepInfo| step.runs_always && step.engine.is_none_or(|of| of == engine.traits().name);
    let of_phase = STEPS.iter().filter(runs).filter(move |step| step.phase == Some(phase) && phase != Phase::Cutover);
    let again = (phase == Phase::Confirm).then_some("swap-record");
    of_phase.map(|step| step.name).chain(again)
}

/// Bytes of tables, without the indexes that are built again.
fn table_bytes(input: &PlanRunInput) -> f64 {
    input.size.bytes.saturating_sub(input.load.index_bytes) as f64
}

fn before_the_load(input: &PlanRunInput, rates: &Rates, reboots: bool) -> Vec<Made> {
    let (bytes, tables) = (input.size.bytes as f64, input.size.tables as f64);
    let hops = input.way.as_ref().map_or(1, |way| way.hops.len().max(1)) as f64;
    let reboot = if reboots { 1.0 } else { 0.0 };
    let per_hop =
        rates.server_seconds + bytes / rates.upgrade_bytes_per_second + tables / rates.upgrade_tables_per_second;
    let emptied = match input.run.copy.engine.traits().keeps_rows_of_snapshot {
        true => 0.0,
        false => tables / rates.load_tables_per_second / 2.0,
    };
    vec![
        Made { phase: Phase::Preflight, delay: 0.0, work: tables / rates.check_tables_per_second, left: 0.0 },
        Made {
            phase: Phase::PrepareSource,
            delay: reboot * (delays::ATTACH_GROUP + delays::REBOOT),
            work: 0.0,
            left: 0.0,
        },
        Made {
            phase: Phase::CopyInstance,
            delay: delays::SNAPSHOT + delays::RESTORE,
            work: rates.server_seconds + 2.0 * bytes / rates.snapshot_bytes_per_second,
            left: 0.0,
        },
        Made {
            phase: Phase::UpgradeCopy,
            delay: hops * delays::UPGRADE + delays::SETTINGS,
            work: hops * per_hop,
            left: 0.0,
        },
        Made { phase: Phase::PrepareTarget, delay: 0.0, work: emptied, left: 0.0 },
    ]
}

fn loaded_anew(input: &PlanRunInput, rates: &Rates) -> Vec<Made> {
    let (bytes, tables) = (table_bytes(input), input.size.tables as f64);
    vec![
        Made {
            phase: Phase::Load,
            delay: 0.0,
            work: bytes / rates.load_bytes_per_second + tables / rates.load_tables_per_second,
            left: 0.0,
        },
        Made {
            phase: Phase::Rebuild,
            delay: 0.0,
            work: input.load.index_bytes as f64 / rates.index_bytes_per_second + bytes / rates.analyze_bytes_per_second,
            left: 0.0,
        },
        Made { phase: Phase::CatchUp, delay: 0.0, work: verification(input, rates), left: 0.0 },
    ]
}

/// Rows and indexes came with the snapshot.
fn seeded_by_snapshot(input: &PlanRunInput, rates: &Rates, before: &[PlannedPhase]) -> Vec<Made> {
    let made = |phase, work| Made { phase, delay: 0.0, work, left: 0.0 };
    vec![
        made(Phase::Load, native::catch_up(input, rates, before)),
        made(Phase::Rebuild, table_bytes(input) / rates.analyze_bytes_per_second + warming(input, rates)),
        made(Phase::CatchUp, verification(input, rates)),
    ]
}

/// First reads of what the snapshot brought.
fn warming(input: &PlanRunInput, rates: &Rates) -> f64 {
    let seconds = input.size.bytes as f64 / rates.warm_bytes_per_second;
    seconds.min(f64::from(input.run.limits.warm_seconds))
}

/// The comparison of both sides.
fn verification(input: &PlanRunInput, rates: &Rates) -> f64 {
    let seconds = table_bytes(input) / rates.verify_bytes_per_second;
    seconds.min(f64::from(input.run.limits.verify_seconds))
}

/// The source's standby and backups are made for the target from the end of the load on: what the comparison does not hide of
/// them is waited for.
fn protection_left(input: &PlanRunInput, rates: &Rates) -> f64 {
    let Some(shape) = &input.shape else { return 0.0 };
    let standby = if shape.multi_az { delays::STANDBY } else { 0.0 };
    let backup = if shape.backups { delays::FIRST_BACKUP_OF_GIB * f64::from(shape.storage_gib) } else { 0.0 };
    ((standby + backup) * rates.delay_scale - verification(input, rates)).max(0.0)
}

fn cutover(input: &PlanRunInput, rates: &Rates, seconds: f64) -> Vec<Made> {
    let ttl = input.shape.as_ref().map_or(60, |shape| shape.ttl_seconds);
    vec![
        Made { phase: Phase::MakeReady, delay: f64::from(ttl), work: 0.0, left: protection_left(input, rates) },
        Made { phase: Phase::Cutover, delay: 0.0, work: seconds, left: 0.0 },
        Made {
            phase: Phase::Confirm,
            delay: delays::IN_SYNC,
            // Constraints are validated: a read of the target, which nobody helps.
            work: table_bytes(input) / rates.verify_bytes_per_second,
            left: 0.0,
        },
        Made { phase: Phase::Finish, delay: delays::REMOVE, work: 0.0, left: 0.0 },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::input;

    fn expected(input: &PlanRunInput, rates: &Rates) -> Vec<PlannedPhase> {
        expect(input, rates, 1.0)
    }

    #[test]
    fn a_source_that_decodes_already_is_not_rebooted() {
        let mut ready = input();
        ready.load.logical = true;

        let rates = Rates::default();
        let (reboots, stays) = (&expected(&input(), &rates)[1], &expected(&ready, &rates)[1]);

        assert!(
            reboots.steps.contains(&"reboot-source".to_owned()) && !stays.steps.contains(&"reboot-source".to_owned())
        );
        assert!(reboots.seconds > stays.seconds);
    }

    #[test]
    fn a_first_backup_is_waited_for_as_far_as_the_comparison_does_not_hide_it() {
        let seconds = |storage_gib, backups, multi_az| {
            let mut input = input();
            let shape = input.shape.as_mut().expect("a shape");
            (shape.storage_gib, shape.backups, shape.multi_az) = (storage_gib, backups, multi_az);
            let rates = Rates { verify_bytes_per_second: input.size.bytes as f64, ..Rates::default() }; // about a second
            expected(&input, &rates)
                .iter()
                .find(|phase| phase.name == Phase::MakeReady.name())
                .expect("it is a phase")
                .seconds
        };
        let without = seconds(1_000, false, false);

        assert!((seconds(1_000, true, false) - without - 9_999.0).abs() < 2.0);
        assert!((seconds(1_000, true, true) - seconds(1_000, true, false) - 600.0).abs() < 0.001);
        assert!(seconds(0, true, false) - without < 0.001, "hidden by the comparison");
    }

    #[test]
    fn a_copy_that_the_snapshot_seeds_does_not_load_rows() {
        let (mut native, rates) = (input(), Rates::default());
        native.run.copy.engine = CopyEngine::Native;
        let seconds = |input: &PlanRunInput, phase: Phase| {
            expected(input, &rates).into_iter().find(|planned| planned.name == phase.name()).expect("a phase").seconds
        };
        let mut larger = native.clone();
        larger.size.bytes *= 2;

        assert!(seconds(&native, Phase::Load) < seconds(&input(), Phase::Load) / 2.0);
        let mut cold = native.clone();
        cold.run.limits.warm_seconds = 0;
        assert!(seconds(&cold, Phase::Rebuild) < seconds(&input(), Phase::Rebuild), "no index is built");
        native.run.limits.warm_seconds = 1;
        let warming = seconds(&native, Phase::Rebuild) - seconds(&cold, Phase::Rebuild);
        assert!((warming - 1.0).abs() < 0.001, "as long as the input allows: {warming}");
        let grows = seconds(&larger, Phase::Load) / seconds(&native, Phase::Load);
        assert!(grows < 1.7, "only what is written while the snapshot is taken and upgraded: {grows}");
        let steps: Vec<String> = expected(&native, &rates).into_iter().flat_map(|phase| phase.steps).collect();
        assert!(steps.contains(&"catch-up".to_owned()) && !steps.contains(&"copy-data".to_owned()), "{steps:?}");
    }

    #[test]
    fn delays_follow_their_scale_and_work_does_not() {
        let without_delays = Rates { delay_scale: 0.0, ..Rates::default() };

        let (slow, fast) = (expected(&input(), &Rates::default()), expected(&input(), &without_delays));

        for (slow, fast) in slow.iter().zip(fast) {
            assert!((slow.seconds - slow.delay_seconds - fast.seconds).abs() < 0.001, "{}", fast.name);
        }
    }

    #[test]
    fn every_step_of_the_run_up_to_its_end_is_in_a_phase_or_in_the_outage() {
        let planned = expected(&input(), &Rates::default());
        let planned: Vec<String> = planned.into_iter().flat_map(|phase| phase.steps).collect();

        let of_every_run = |step: &&StepInfo| step.runs_always && step.engine.is_none_or(|engine| engine == "dms");
        for step in STEPS.iter().filter(of_every_run).filter(|step| step.phase != Some(Phase::Cutover)) {
            assert!(planned.iter().any(|planned| planned == step.name), "{}", step.name);
        }
    }
}
