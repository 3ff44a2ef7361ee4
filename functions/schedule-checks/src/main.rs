//! Composition only: the step is in `lib.rs`.

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    pgleap_step_kit::serve("schedule-checks", schedule_checks::run)
}
