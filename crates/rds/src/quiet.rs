//! Values under which nothing in a copy acts on the world before OPEN.

use crate::parameter_group::Values;

/// pg_cron's switch: its launcher starts no job while it is off. Dynamic, so no reboot is needed to turn it on.
/// Source: pg_cron's README, cron.launch_active_jobs; observed as a SIGHUP parameter.
pub const JOBS: &str = "cron.launch_active_jobs";

/// No subscription worker starts. Static, so it is for the way, never for the group that the target lives with.
pub fn add_static(values: &mut Values) {
    values.insert("max_logical_replication_workers".to_owned(), "0".to_owned());
}

/// No scheduled job starts, where pg_cron is loaded; else the parameter would mean nothing. Refused where the family has
/// no such parameter: then the copy's jobs would do on the copy, or to the world, what the source's do.
pub fn add_jobs_off(values: &mut Values, is_known: impl Fn(&str) -> bool) -> Result<(), String> {
    if !loads_cron(values) {
        return Ok(());
    }
    if !is_known(JOBS) {
        return Err(format!("pg_cron is loaded, but the family lacks the parameter {JOBS} that stops the copy's jobs"));
    }
    values.insert(JOBS.to_owned(), "off".to_owned());
    Ok(())
}

/// Whether these values load pg_cron.
pub fn loads_cron(values: &Values) -> bool {
    values
        .get("shared_preload_libraries")
        .is_some_and(|libraries| libraries.split(',').any(|library| library.trim() == "pg_cron"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_switched_off_only_where_something_could_start_them() {
        let cases = [
            (None, true, Ok(false)),
            (Some("pg_stat_statements"), false, Ok(false)),
            (Some("pg_stat_statements, pg_cron"), true, Ok(true)),
            (Some("pg_cron"), false, Err(())),
            (Some("pg_cron_like"), true, Ok(false)),
        ];
        for (libraries, known, off) in cases {
            let mut values: Values =
                libraries.map(|text| ("shared_preload_libraries".to_owned(), text.to_owned())).into_iter().collect();

            let added = add_jobs_off(&mut values, |_| known);

            assert_eq!(added.map(|()| values.contains_key(JOBS)).map_err(drop), off, "{libraries:?}");
        }
    }
}
