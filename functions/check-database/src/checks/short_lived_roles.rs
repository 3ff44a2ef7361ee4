//! Roles that a tool creates and drops. During a run, the roles of the source must not change: the target has those of the snapshot,
//! and each difference ends the run with SourceChanged.
//!
//! PostgreSQL does not say when a role was created, and OIDs are no clock. So these are looked for: names that hold the time of
//! a lease, members of Teleport's group, and logins that expire soon, because renewing one changes a role. A login whose password
//! is valid for long is none of them until its last week.
//!
//! Sources: HashiCorp Vault documentation, "PostgreSQL database secrets engine" (VALID UNTIL), "Tune the lease time-to-live"
//! (32 days); OpenBao documentation, same pages; Vault's default username template: names in public issues; Teleport,
//! `lib/srv/db/postgres/sql` (the group, and that a user is disabled after its last session).

use pgleap_contract::{Finding, Severity};

use crate::facts::{Facts, ShortLivedRole};

const ID: &str = "short-lived-role";
const IGNORED: &str = "ignored-role";

const DAY: f64 = 86_400.0;
/// The longest lease of Vault's, unless somebody set another: an older name is a leftover.
const LONGEST_LEASE: f64 = 32.0 * DAY;
/// A run may last that long.
const SOON: f64 = 2.0 * DAY;
const WEEK: f64 = 7.0 * DAY;
/// How many roles are named for each reason.
const NAMED: usize = 3;

/// Why a role is taken for one that comes and goes, in the order in which that is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Leased,
    OfTeleport,
    ExpiresInDays,
    ExpiresInAWeek,
}

impl Reason {
    const ALL: [Self; 4] = [Self::Leased, Self::OfTeleport, Self::ExpiresInDays, Self::ExpiresInAWeek];

    fn of(role: &ShortLivedRole) -> Option<Self> {
        if role.issued_ago.is_some_and(|seconds| seconds < LONGEST_LEASE) {
            return Some(Self::Leased);
        }
        if role.of_teleport {
            return Some(Self::OfTeleport);
        }
        match role.expires_in {
            Some(seconds) if seconds <= SOON => Some(Self::ExpiresInDays),
            Some(seconds) if seconds <= WEEK => Some(Self::ExpiresInAWeek),
            _ => None,
        }
    }

    fn severity(self) -> Severity {
        if self == Self::ExpiresInAWeek { Severity::Warning } else { Severity::Blocker }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Leased => "named like the temporary logins that Vault and OpenBao issue",
            Self::OfTeleport => "members of teleport-auto-user, which Teleport creates and disables with each session",
            Self::ExpiresInDays => "expire (VALID UNTIL) within two days",
            Self::ExpiresInAWeek => "expire (VALID UNTIL) within a week",
        }
    }
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        Reason::ALL.iter().filter_map(|reason| of_reason(&facts.short_lived_roles, *reason)).collect();
    findings.extend(ignored(&facts.run.choices.ignored_roles));
    findings
}

fn of_reason(roles: &[ShortLivedRole], reason: Reason) -> Option<Finding> {
    let names: Vec<&str> =
        roles.iter().filter(|role| Reason::of(role) == Some(reason)).map(|role| role.name.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let mut named = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if names.len() > NAMED {
        named = format!("{named} and {} more", names.len() - NAMED);
    }
    let found = format!(
        "roles {named}: {}. If a role is created, changed or dropped during the run, the run ends (SourceChanged)",
        reason.words()
    );
    let remedy = "pause the tool that creates or renews them until the run has ended, or name them in choices.ignoredRoles \
                  (% matches any text): then those that are created after the snapshot do not exist on the target";
    Some(match reason.severity() {
        Severity::Blocker => Finding::blocker(ID, found, remedy),
        Severity::Warning => Finding::warning(ID, found, remedy),
    })
}

fn ignored(patterns: &[String]) -> Option<Finding> {
    if patterns.is_empty() {
        return None;
    }
    let found = format!(
        "roles like {} may change during the run. Those that are created after the snapshot do not exist on the target, and \
         neither do their grants. Clients that log in as one of them are refused from the cutover on",
        patterns.join(", ")
    );
    let remedy = "have the tool issue new logins on the target as soon as it is open";
    Some(Finding::warning(IGNORED, found, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::tests::assert_found;

    fn role() -> ShortLivedRole {
        ShortLivedRole { name: "r".to_owned(), ..ShortLivedRole::default() }
    }

    #[test]
    fn a_role_is_taken_for_short_lived_by_its_name_its_group_or_its_end() {
        let issued = |days: f64| ShortLivedRole { issued_ago: Some(days * DAY), ..role() };
        let expires = |days: f64| ShortLivedRole { expires_in: Some(days * DAY), ..role() };
        let cases = [
            (role(), None),
            (issued(0.01), Some(Reason::Leased)),
            (issued(31.0), Some(Reason::Leased)),
            (issued(400.0), None),
            (ShortLivedRole { of_teleport: true, ..role() }, Some(Reason::OfTeleport)),
            (expires(0.04), Some(Reason::ExpiresInDays)),
            (expires(2.0), Some(Reason::ExpiresInDays)),
            (expires(5.0), Some(Reason::ExpiresInAWeek)),
            (expires(30.0), None),
            (ShortLivedRole { issued_ago: Some(400.0 * DAY), ..expires(1.0) }, Some(Reason::ExpiresInDays)),
        ];
        for (role, reason) in cases {
            assert_eq!(Reason::of(&role), reason, "{role:?}");
        }
    }

    #[test]
    fn what_comes_and_goes_stops_a_run_unless_it_is_ignored() {
        let leased = ShortLivedRole { issued_ago: Some(60.0), ..role() };
        let soon = ShortLivedRole { expires_in: Some(6.0 * DAY), ..role() };
        assert_found(
            |facts| facts.short_lived_roles = vec![leased, soon],
            &["b short-lived-role", "w short-lived-role"],
        );
        assert_found(|facts| facts.run.choices.ignored_roles = vec!["v-token-%".to_owned()], &["w ignored-role"]);
    }

    #[test]
    fn many_are_counted() {
        let roles: Vec<_> =
            (0..40).map(|n| ShortLivedRole { name: format!("v-{n}"), issued_ago: Some(1.0), ..role() }).collect();

        let finding = of_reason(&roles, Reason::Leased).expect("found");

        assert!(
            finding.found.starts_with("roles v-0, v-1, v-2 and 37 more: named like the temporary logins"),
            "{}",
            finding.found
        );
    }
}
