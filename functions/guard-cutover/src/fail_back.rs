//! What must hold of the target so that the source can follow it after OPEN: its settings, and free storage for the WAL that it keeps
//! while the source does not answer. Storage is derived from what SQL shows (decision 60).

use pgleap_contract::Purpose;
use pgleap_contract::steps::GuardCutoverInput;
use pgleap_pg::Session;
use pgleap_step_kit::prelude::*;
use pgleap_step_kit::{fail_back_settings, wal};

const MB: i64 = 1 << 20;

/// What does not hold; none is good. Waited for, because a parameter group can be changed meanwhile.
pub(crate) async fn in_the_way(input: &GuardCutoverInput, target: &Session) -> StepResult<Vec<String>> {
    let run = &input.run;
    if run.fail_back.is_none() || run.purpose != Purpose::Upgrade {
        return Ok(Vec::new());
    }
    let settings = fail_back_settings::read(target).await?;
    let mut in_the_way: Vec<String> = settings
        .wrong(1..=i64::MAX)
        .into_iter()
        .map(|wrong| format!("the source could not follow the target after the cutover (failBack): {wrong}"))
        .collect();
    // The target's storage grows as far as the source's: upgrade-target sets the same limit after the target was measured.
    let storage_gib = input.target.storage_gib.max(input.source.storage_gib);
    in_the_way.extend(too_little_storage(settings.keep_mb, wal::free_storage(target, storage_gib).await?));
    Ok(in_the_way)
}

fn too_little_storage(keep_mb: i64, free_bytes: Option<i64>) -> Option<String> {
    let free = free_bytes.filter(|free| keep_mb > *free / MB)?;
    Some(format!(
        "the target's databases leave {} MB of its storage free, and it may keep {keep_mb} MB of WAL for the source after the \
         cutover (failBack); set max_slot_wal_keep_size in the target's parameter group to less",
        free / MB
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_room_for_all_the_wal_that_it_may_keep() {
        let cases = [
            (1_000, Some(1_000 * MB), None),
            (1_000, Some(999 * MB), Some("leave 999 MB of its storage free, and it may keep 1000 MB of WAL")),
            (1_000, None, None),
            (-1, Some(MB), None),
        ];
        for (keep, free, expected) in cases {
            let found = too_little_storage(keep, free);

            assert_eq!(found.is_some(), expected.is_some(), "{keep} {free:?}: {found:?}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()), "{keep} {free:?}");
        }
    }
}
