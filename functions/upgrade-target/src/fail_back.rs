//! What the group that the target lives with needs so that the source can follow the target after OPEN, whichever engine copies.
//! `rds.logical_replication` and both sizes are static: after OPEN they would cost a reboot, so they are there from the start.
//! Source: PostgreSQL documentation, max_slot_wal_keep_size, max_replication_slots, idle_replication_slot_timeout (18).

use pgleap_contract::Limits;
use pgleap_rds::parameter_group::Values;
use pgleap_rds::parameters::Known;

/// One slot for the source, and one sender that reads it.
const MORE: u64 = 1;

/// Add them to the user's own values. Refused where the family does not take a parameter without which the source could lose
/// changes, or the target its storage.
pub(crate) fn add(values: &mut Values, limits: &Limits, known: impl Fn(&str) -> Option<Known>) -> Result<(), String> {
    let may_set = |name: &str| known(name).is_some_and(|known| known.modifiable);
    // Never without a limit: a source that does not answer must not fill the storage of a server that serves.
    let keep = limits.max_retained_wal_mb().to_string();
    for (name, value) in [("rds.logical_replication", "1"), ("max_slot_wal_keep_size", &keep)] {
        if !may_set(name) {
            return Err(format!("failBack needs {name} = {value}, which the family does not accept"));
        }
        values.insert(name.to_owned(), value.to_owned());
    }
    // A source that is away for some time must find its slot again. Majors before 18 drop no idle slot.
    let idle = "idle_replication_slot_timeout";
    if may_set(idle) {
        values.insert(idle.to_owned(), "0".to_owned());
    }
    // RDS's own values have room. The user's may be exactly what his consumers need, and these return after OPEN.
    for name in ["max_replication_slots", "max_wal_senders"] {
        if let Some(value) = values.get_mut(name)
            && let Ok(set) = value.parse::<u64>()
        {
            *value = (set + MORE).to_string();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_target_decodes_and_keeps_wal_up_to_the_limit_and_no_further() {
        let limits = Limits { max_retained_wal_gb: 50, ..Limits::default() };
        let always = [("max_slot_wal_keep_size", "47683"), ("rds.logical_replication", "1")];
        let in_18 = [&always[..], &[("idle_replication_slot_timeout", "0")]].concat();
        let cases = [
            ("nothing is the user's", 17, vec![], always.to_vec()),
            ("18 drops idle slots", 18, vec![], in_18.clone()),
            (
                "what the user set is replaced",
                18,
                vec![
                    ("max_slot_wal_keep_size", "-1"),
                    ("idle_replication_slot_timeout", "600"),
                    ("rds.logical_replication", "0"),
                ],
                in_18,
            ),
            (
                "the user's sizes get room for one more",
                17,
                vec![("max_replication_slots", "5"), ("max_wal_senders", "{DBInstanceVCPU*2}"), ("work_mem", "64")],
                [
                    &always[..],
                    &[("max_replication_slots", "6"), ("max_wal_senders", "{DBInstanceVCPU*2}"), ("work_mem", "64")],
                ]
                .concat(),
            ),
        ];
        for (what, major, users, expected) in cases {
            let mut found = values(&users);
            let known = |name: &str| {
                let exists = major >= 18 || name != "idle_replication_slot_timeout";
                exists.then(|| Known { modifiable: true, allowed: String::new() })
            };

            add(&mut found, &limits, known).expect(what);

            assert_eq!(found, values(&expected), "{what}");
        }
    }

    #[test]
    fn a_family_that_does_not_take_a_limit_is_refused() {
        let known = |name: &str| Some(Known { modifiable: name != "max_slot_wal_keep_size", allowed: String::new() });

        let refused = add(&mut Values::new(), &Limits::default(), known).expect_err("no limit");

        assert_eq!(refused, "failBack needs max_slot_wal_keep_size = 47683, which the family does not accept");
    }
}
