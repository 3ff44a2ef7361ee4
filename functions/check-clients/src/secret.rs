//! One secret: what is known about it, and whether the cutover can move it.

use std::time::{SystemTime, UNIX_EPOCH};

use pgleap_clients::{Described, LeadsTo, Secrets, Way};
use pgleap_contract::steps::CheckClientsInput;
use pgleap_contract::{ClientSecret, Finding, Generation};
use pgleap_step_kit::prelude::*;
use pgleap_window::Interruption;

const ID: &str = "client-secret";
const HOST: &str = "client-secret-host";
const ROTATION: &str = "client-secret-rotates";

/// A rotation that is due within this time is a blocker, whatever the window is.
const DAY: i64 = 86_400;
/// After a window's last beginning, a cutover and its rollback take less.
const HOUR: i64 = 3_600;

/// What is known, or why it is not.
pub(crate) struct Facts<'a> {
    secret: &'a ClientSecret,
    described: Result<Described, String>,
    host: Result<String, String>,
}

impl<'a> Facts<'a> {
    /// Whatever a person must put right is a fact; only what may go away by itself is an error.
    pub(crate) async fn of(secrets: &Secrets, secret: &'a ClientSecret) -> StepResult<Self> {
        let described = known(secrets.describe(secret).await)?;
        let host = known(secrets.current(secret).await.and_then(|current| current.host(secret)))?;
        Ok(Self { secret, described, host })
    }
}

fn known<T>(answer: StepResult<T>) -> StepResult<Result<T, String>> {
    match answer {
        Ok(known) => Ok(Ok(known)),
        Err(error) if matches!(error.code, ErrorCode::AccessDenied | ErrorCode::SecretUnusable) => {
            Ok(Err(error.message))
        }
        Err(error) => Err(error),
    }
}

/// Everything that is wrong with it.
pub(crate) fn judge(input: &CheckClientsInput, facts: &Facts<'_>, now: i64) -> Vec<Finding> {
    let id = &facts.secret.secret_id;
    let mut findings = Vec::new();
    match &facts.host {
        Err(reason) => findings.push(unreadable(reason)),
        Ok(host) => findings.extend(leads_elsewhere(input, facts.secret, host)),
    }
    match &facts.described {
        // Said once is enough.
        Err(_) if facts.host.is_err() => {}
        Err(reason) => findings.push(unreadable(reason)),
        Ok(described) => findings.extend(moves_by_itself(input, id, described, now)),
    }
    findings
}

fn unreadable(reason: &str) -> Finding {
    let remedy = "clients.secrets must name existing secrets whose value is a JSON object with the member host, and the stack's \
                  parameter ClientSecretArns must contain them (docs/other-clients.md)";
    Finding::blocker(ID, reason, remedy)
}

fn leads_elsewhere(input: &CheckClientsInput, secret: &ClientSecret, host: &str) -> Option<Finding> {
    let way = Way::back(&input.run, secret, &input.source, Generation::FORWARD);
    if way.leads(host) == LeadsTo::Source {
        return None;
    }
    let wanted = secret.from.as_deref().unwrap_or(&input.source.host);
    let found = format!("the host in secret {} is not {wanted}", secret.secret_id);
    let remedy = "set clients.secrets[].from to the host that the secret has, if that host also leads to the source; \
                  otherwise, remove the secret from the input";
    Some(Finding::blocker(HOST, found, remedy))
}

/// A service that manages the secret, or a rotation, would move AWSCURRENT too.
fn moves_by_itself(input: &CheckClientsInput, id: &str, described: &Described, now: i64) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(service) = &described.managed_by {
        let found = format!("secret {id} is managed by {service}, which does not allow other changes of its value");
        let remedy = "let the applications read a secret of your own";
        findings.push(Finding::blocker(ID, found, remedy));
    }
    if described.is_being_rotated {
        let found = format!("a rotation of secret {id} is under way or has failed: it has an AWSPENDING version");
        let remedy = "let the rotation finish, or remove the label AWSPENDING from that version";
        findings.push(Finding::blocker(ROTATION, found, remedy));
    }
    if let Some(due) = described.next_rotation.filter(|due| is_too_near(input, *due, now)) {
        let found = format!(
            "secret {id} is rotated at {} at the latest, which may be during the cutover",
            pgleap_window::text(due)
        );
        let remedy = "rotate it now, or postpone the rotation until the run has ended";
        findings.push(Finding::blocker(ROTATION, found, remedy));
    }
    findings
}

/// Due within a day, or in the window in which the cutover may happen. A rotation before that does no harm.
fn is_too_near(input: &CheckClientsInput, due: i64, now: i64) -> bool {
    let cutover = Interruption::cutover(&input.run.limits, input.run.cutover.switch_record);
    let opening = input.run.window.as_ref().and_then(|window| pgleap_window::next(window, cutover, now).ok());
    due <= now + DAY || opening.is_some_and(|opening| (opening.opens..=opening.last_start + HOUR).contains(&due))
}

/// In seconds since the epoch.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(since).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgleap_contract::Findings;
    use serde_json::json;

    const SOURCE: &str = "db.x.rds.amazonaws.com";
    const NOW: i64 = 1_795_338_000; // 2026-11-22T09:00:00Z, a Sunday

    fn input() -> CheckClientsInput {
        let run = json!({
            "id": "r", "executionArn": "arn", "mode": "upgrade", "copy": {}, "choices": {}, "limits": {},
            "source": { "instance": "db", "loginSecret": "s" }, "target": { "version": "18", "instance": "db-v18" },
            "record": { "zoneId": "Z", "name": "db.example.com" },
            "window": { "start": "02:00", "end": "05:00", "timeZone": "UTC", "days": ["wednesday"] },
        });
        let source = json!({ "host": SOURCE, "port": 5432, "database": "orders" });
        serde_json::from_value(json!({ "run": run, "source": source, "findings": Findings::default() })).expect("input")
    }

    fn checks(from: Option<&str>, described: Result<Described, String>, host: Result<&str, &str>) -> Vec<String> {
        let secret = ClientSecret { secret_id: "arn".to_owned(), from: from.map(str::to_owned), host: None };
        let host = host.map(str::to_owned).map_err(str::to_owned);
        let facts = Facts { secret: &secret, described, host };
        judge(&input(), &facts, NOW).into_iter().map(|finding| finding.check).collect()
    }

    #[test]
    fn a_secret_is_fit_if_it_leads_to_the_source_and_nothing_else_moves_it() {
        let plain = Described::default;
        let cases = [
            (None, Ok(plain()), Ok(SOURCE), vec![]),
            (None, Ok(plain()), Ok("DB.x.rds.amazonaws.com."), vec![]),
            (Some("proxy"), Ok(plain()), Ok("proxy"), vec![]),
            (Some("proxy"), Ok(plain()), Ok(SOURCE), vec![HOST]),
            (None, Ok(plain()), Ok("elsewhere"), vec![HOST]),
            (None, Ok(plain()), Err("no JSON"), vec![ID]),
            (None, Err("denied".to_owned()), Err("denied"), vec![ID]),
            (None, Err("denied".to_owned()), Ok(SOURCE), vec![ID]),
            (None, Ok(Described { managed_by: Some("rds".to_owned()), ..plain() }), Ok(SOURCE), vec![ID]),
            (None, Ok(Described { is_being_rotated: true, ..plain() }), Ok(SOURCE), vec![ROTATION]),
        ];
        for (from, described, host, expected) in cases {
            assert_eq!(checks(from, described, host), expected, "{from:?} {host:?}");
        }
    }

    #[test]
    fn a_rotation_is_a_blocker_within_a_day_and_in_the_window() {
        let wednesday = NOW + 2 * DAY + 17 * HOUR; // 02:00
        let cases = [
            (NOW - HOUR, true),
            (NOW + DAY - 1, true),
            (NOW + DAY + 1, false),
            (wednesday - 1, false),
            (wednesday, true),
            (wednesday + 3 * HOUR, true),
            (wednesday + 5 * HOUR, false),
        ];
        for (due, expected) in cases {
            let described = Described { next_rotation: Some(due), ..Described::default() };
            assert_eq!(checks(None, Ok(described), Ok(SOURCE)).len(), usize::from(expected), "{}", due - NOW);
        }
    }
}
