//! `pg_upgrade_precheck.log` and the event that stands for it.

use time::OffsetDateTime;
use time::macros::format_description;

/// What stands in the way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// Of the whole instance.
    pub(super) instance: Vec<String>,
    /// By database.
    pub(super) databases: Vec<(String, Vec<String>)>,
}

impl Findings {
    fn all(&self) -> impl Iterator<Item = &String> {
        self.instance.iter().chain(self.databases.iter().flat_map(|(_, issues)| issues))
    }
}

/// The log in the guide's shape; `None` if nothing stands in the way. `now` in epoch seconds.
pub(super) fn render(findings: &Findings, from: &str, target: &str, now: f64) -> Option<String> {
    findings.all().next()?;
    let format = format_description!(
        "[weekday repr:short] [month repr:short] [day padding:none] [hour]:[minute]:[second] [year]"
    );
    let moment = OffsetDateTime::from_unix_timestamp(now as i64).ok().and_then(|moment| moment.format(format).ok());
    let mut lines = vec![
        "------------------------------------------------------------------------".to_owned(),
        format!("Upgrade could not be run on {}", moment.unwrap_or_default()),
        "-------------------------------------------------------------------------".to_owned(),
        format!("The instance could not be upgraded from {from} to {target} for the following reasons."),
        "Please take appropriate action on databases that have usage incompatible with the requested major engine \
         version upgrade and try the upgrade again."
            .to_owned(),
        String::new(),
    ];
    lines.extend(findings.instance.iter().map(|issue| format!("* {issue}")));
    for (database, issues) in &findings.databases {
        lines.push(format!(
            "* The following issues in the database '{database}' need to be corrected before upgrading:"
        ));
        lines.extend(issues.iter().map(|issue| format!("** {issue}")));
    }
    Some(lines.join("\n") + "\n")
}

/// The text of RDS-EVENT-0158.
pub(super) fn event_text(findings: &Findings) -> String {
    let reasons = findings.all().map(String::as_str).collect::<Vec<_>>().join(" ");
    format!("Database instance is in a state that cannot be upgraded: PreUpgrade checks failed: {reasons}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_the_shape_of_the_guide() {
        let findings = Findings {
            instance: vec!["There are uncommitted prepared transactions.".to_owned()],
            databases: vec![("mydb".to_owned(), vec!["Drop the views.".to_owned()])],
        };

        let text = render(&findings, "13.20", "17.4", 1_522_866_652.0).unwrap();

        assert_eq!(
            text,
            "------------------------------------------------------------------------\n\
             Upgrade could not be run on Wed Apr 4 18:30:52 2018\n\
             -------------------------------------------------------------------------\n\
             The instance could not be upgraded from 13.20 to 17.4 for the following reasons.\n\
             Please take appropriate action on databases that have usage incompatible with the requested major engine \
             version upgrade and try the upgrade again.\n\
             \n\
             * There are uncommitted prepared transactions.\n\
             * The following issues in the database 'mydb' need to be corrected before upgrading:\n\
             ** Drop the views.\n"
        );
    }

    #[test]
    fn nothing_found_is_no_report() {
        assert_eq!(render(&Findings::default(), "13.20", "17.4", 0.0), None);
    }
}
