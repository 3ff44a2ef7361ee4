//! The question in words. Pure.

use pgleap_contract::steps::{AskApprovalInput, Question, VerifyCopyOutput};
use pgleap_contract::{ExpectedOutage, OnRejectedCutover, SwitchRecord};
use pgleap_notify::{console, region_of};
use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

const MINUTE: &[FormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
/// How often the machine asks (`$asked` of IsCutoverAskedAgain).
pub(crate) const MOST_QUESTIONS: u32 = 2;
/// Findings and repairs that are listed; the rest are in the execution.
const LISTED: usize = 30;

/// One line, for a mailbox or a pager.
pub(crate) fn subject(input: &AskApprovalInput) -> String {
    let what = match input.question {
        Question::Reboot => "restart",
        Question::Cutover => "cutover",
    };
    format!("pgleap asks about {}: approve the {what} (run {})?", input.run.source.instance, input.run.id)
}

/// Everything that a person needs to answer, the lines to paste last.
///
/// `until` is when the machine stops waiting, in seconds since 1970; `link` answers without a login.
pub(crate) fn text(input: &AskApprovalInput, until: u64, link: Option<&str>) -> String {
    let parts = [question(input), silence(input, until)].into_iter();
    parts.chain(link.map(by_link)).chain([answers(input)]).collect::<Vec<_>>().join("\n\n")
}

/// What would happen, when, and what was found.
pub fn question(input: &AskApprovalInput) -> String {
    let parts = [happens(input), begins(input), found(input)].into_iter();
    parts.chain(uncompared(input)).collect::<Vec<_>>().join("\n\n")
}

fn happens(input: &AskApprovalInput) -> String {
    let (run, outage) = (&input.run, &input.outage);
    match input.question {
        Question::Reboot => {
            let seconds =
                outage.reboot_seconds.map_or_else(|| "a few seconds".to_owned(), |it| format!("about {it:.0} s"));
            format!(
                "Run {} is upgrading {} to PostgreSQL {}. The source must be restarted first to enable logical \
                 replication.\n\n\
                 After a Yes: {} restarts. Every client loses its connection for {seconds} and then reconnects to the \
                 same server.",
                run.id, run.source.instance, run.target.version, run.source.instance
            )
        }
        Question::Cutover => format!(
            "The copy of {}, upgraded to PostgreSQL {}, is verified and receives every change (run {}).\n\n\
             After a Yes: {} stops accepting applications, {} takes over as {}, and applications reconnect.\n\
             {}{} If the cutover is not complete after {} s, the run automatically rolls back to the source.",
            run.source.instance,
            run.target.version,
            run.id,
            run.source.instance,
            run.target.instance.as_deref().unwrap_or("the target"),
            run.record.name,
            exceeds(input),
            expected(input),
            outage.deadline_seconds
        ),
    }
}

/// Which limit a yes exceeds. The machine hands on what the function failed with.
fn exceeds(input: &AskApprovalInput) -> String {
    let Some(cause) = &input.too_long else { return String::new() };
    let parsed: serde_json::Value = serde_json::from_str(cause).unwrap_or_default();
    let reason = parsed["errorMessage"].as_str().unwrap_or(cause);
    format!("A limit is exceeded: {reason}. A Yes accepts this.\n")
}

/// By what was measured since the plan, if anything was.
fn expected(input: &AskApprovalInput) -> String {
    let (Some(forecast), Some(switch)) = (&input.forecast, &input.switch) else {
        return format!("Expected outage: about {:.1} s without writes.", input.outage.milliseconds / 1_000.0);
    };
    let span = |outage: &ExpectedOutage| {
        format!("about {:.1} s, at most {:.1} s", outage.milliseconds / 1_000.0, outage.at_most_milliseconds / 1_000.0)
    };
    let order = match switch.record {
        SwitchRecord::BeforeFence => {
            "The record changes first. Until the cutover is complete, the target refuses new connections."
        }
        _ => "The record changes during the cutover.",
    };
    format!(
        "Expected outage: {} without writes for clients that are connected; {} for clients that connect meanwhile. {order}",
        span(&forecast.connected),
        span(&forecast.new)
    )
}

fn begins(input: &AskApprovalInput) -> String {
    match &input.run.window {
        Some(window) => {
            format!("When: after a Yes, in the window from {} to {} ({}).", window.start, window.end, window.time_zone)
        }
        None => "When: immediately after a Yes.".to_owned(),
    }
}

fn found(input: &AskApprovalInput) -> String {
    let findings = input.instance.iter().chain(&input.database).map(|one| format!("{}: {}", one.check, one.found));
    let repairs = input.repairs.iter().map(|one| format!("automatic repair ({}): {}", one.kind.word(), one.after));
    let all: Vec<_> = findings.chain(repairs).collect();
    if all.is_empty() {
        return "Preflight found no warnings, and the run did not have to repair anything.".to_owned();
    }
    let listed: String = all.iter().take(LISTED).map(|line| format!("\n- {line}")).collect();
    let more = all.len().saturating_sub(LISTED);
    let more = if more > 0 { format!("\n- and {more} more; the execution lists them all") } else { String::new() };
    format!("Findings of preflight, and automatic repairs:{listed}{more}")
}

/// Tables for which a Yes takes it on trust that the copy is right.
fn uncompared(input: &AskApprovalInput) -> Option<String> {
    let verified = input.verified.as_ref().filter(|verified| verified.tables_uncompared > 0)?;
    let tables = verified.uncompared.iter().take(LISTED).map(|one| format!("\n- {}: {}", one.table, one.why));
    let listed: Vec<_> = tables.collect();
    let more = verified.tables_uncompared - listed.len() as u64;
    let more = if more > 0 {
        format!("\n- and {more} more; the execution lists the first {}", VerifyCopyOutput::LISTED)
    } else {
        String::new()
    };
    Some(format!(
        "Not compared: {} of the tables could not be compared with the source. Replication reports no errors for \
         them. With a Yes, you accept that their rows are not verified:{}{more}",
        verified.tables_uncompared,
        listed.concat()
    ))
}

fn silence(input: &AskApprovalInput, until: u64) -> String {
    let until = i64::try_from(until).unwrap_or(i64::MAX);
    let until = OffsetDateTime::from_unix_timestamp(until).ok().and_then(|time| time.format(MINUTE).ok());
    let until = until.unwrap_or_else(|| format!("{} seconds from now", input.run.approval.wait_seconds));
    let asked = input.asked + 1;
    let no = match (input.question, input.run.approval.on_rejected_cutover) {
        (Question::Reboot, _) => "ends; the source stays as it was".to_owned(),
        (Question::Cutover, OnRejectedCutover::KeepReplicating) if asked < MOST_QUESTIONS => format!(
            "keeps replicating and asks again (this is question {asked} of {MOST_QUESTIONS}). \
             To end the run instead, stop the execution"
        ),
        (Question::Cutover, _) => "deletes the copy; the source serves applications as before".to_owned(),
    };
    format!("Please answer by {until}. If nobody answers, the run treats it as No and {no}.")
}

fn by_link(link: &str) -> String {
    format!(
        "To answer without logging in, open this link. Anybody who has it can answer, and only the first answer \
         counts:\n{link}"
    )
}

fn answers(input: &AskApprovalInput) -> String {
    let (arn, token) = (&input.run.execution_arn, input.token.as_str());
    let region = region_of(arn);
    format!(
        "To answer Yes, run:\n\
         aws stepfunctions send-task-success --region {region} --task-output '{{\"approved\":true}}' \
         --task-token '{token}'\n\n\
         To answer No, run:\n\
         aws stepfunctions send-task-failure --region {region} --error NotApproved --cause 'not now' \
         --task-token '{token}'\n\n\
         The run in the AWS console: {}",
        console(arn)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn input(question: &str, approval: Value, asked: u32) -> AskApprovalInput {
        serde_json::from_value(json!({
            "run": {"id": "orders-18", "executionArn": "arn:aws:states:eu-west-1:1:execution:m:orders-18", "mode": "upgrade",
                "source": {"instance": "orders-db", "loginSecret": "s"}, "target": {"version": "18", "instance": "orders-db-v18"},
                "record": {"zoneId": "Z", "name": "db.example.com"}, "copy": {}, "choices": {}, "limits": {}, "approval": approval},
            "token": "AQC==", "question": question, "asked": asked, "repairs": [], "database": [], "verified": null,
            "outage": {"milliseconds": 2_340.0, "parts": [], "deadlineSeconds": 60, "rebootSeconds": 20.0},
            "instance": [{"check": "extra-role", "severity": "warning", "found": "a role of S3 is attached", "remedy": "attach it"}],
        }))
        .expect("an input")
    }

    #[test]
    fn a_question_says_what_happens_for_how_long_what_was_found_and_how_to_answer() {
        let text = text(&input("cutover", json!({}), 0), 1_700_003_600, None);

        for words in [
            "orders-db-v18 takes over as db.example.com",
            "about 2.3 s without writes",
            "not complete after 60 s",
            "When: immediately",
            "extra-role: a role of S3 is attached",
            "by 2023-11-14 23:13:20 UTC",
            "deletes the copy",
            "--task-output '{\"approved\":true}' --task-token 'AQC=='",
            "--error NotApproved --cause 'not now' --task-token 'AQC=='",
            "#/v2/executions/details/arn:aws:states:eu-west-1:1:execution:m:orders-18",
        ] {
            assert!(text.contains(words), "{words:?} is not in {text}");
        }
        assert!(!text.contains("without logging in"), "{text}");
    }

    #[test]
    fn a_question_shows_what_was_measured_and_which_limit_a_yes_would_exceed() {
        let mut input = input("cutover", json!({}), 0);
        let outage =
            |milliseconds: f64| json!({"milliseconds": milliseconds, "atMostMilliseconds": milliseconds * 2.0});
        input.forecast = serde_json::from_value(json!({
            "connected": outage(600.0), "new": outage(21_000.0), "steps": outage(500.0), "record": outage(20_000.0), "parts": []
        }))
        .expect("a forecast");
        input.switch = serde_json::from_value(json!({"record": "beforeFence", "reason": "r"})).expect("a decision");
        let plain = text(&input, 1_700_003_600, None);
        input.too_long = Some(json!({"errorType": "OutageTooLong", "errorMessage": "the forecast is 9 s"}).to_string());
        let exceeded = text(&input, 1_700_003_600, None);

        assert!(plain.contains("about 0.6 s, at most 1.2 s without writes for clients that are connected"), "{plain}");
        assert!(plain.contains("about 21.0 s, at most 42.0 s for clients that connect meanwhile"), "{plain}");
        assert!(plain.contains("The record changes first.") && !plain.contains("limit"), "{plain}");
        assert!(exceeded.contains("A limit is exceeded: the forecast is 9 s. A Yes accepts this."), "{exceeded}");
    }

    #[test]
    fn tables_that_were_not_compared_are_named_with_the_reason() {
        let mut input = input("cutover", json!({}), 0);
        let verified = |count: u64| {
            json!({"tablesEqual": 7, "tablesUncompared": count,
                "uncompared": [{"table": {"schema": "shop", "table": "hot"}, "why": "it never stands still"}]})
        };
        let mut text_of = |count| {
            input.verified = serde_json::from_value(verified(count)).expect("an output");
            text(&input, 0, None)
        };

        let one = text_of(1);
        assert!(one.contains("Not compared: 1 of the tables"), "{one}");
        assert!(one.contains("\n- shop.hot: it never stands still\n\n"), "{one}");
        assert!(text_of(4).contains("\n- and 3 more"));
        assert!(!text_of(0).contains("Not compared"));
    }

    #[test]
    fn a_link_is_offered_where_the_stack_has_them() {
        let text = text(&input("cutover", json!({}), 0), 0, Some("https://answers.example/?q=1&s=2"));

        assert!(text.contains("only the first answer counts:\nhttps://answers.example/?q=1&s=2\n"), "{text}");
        assert!(text.contains("\nTo answer Yes, run:\naws stepfunctions"), "{text}");
    }

    #[test]
    fn what_a_no_does_is_said_for_each_question() {
        let keep = json!({"onRejectedCutover": "keep-replicating"});
        let cases = [
            ("reboot", json!({}), 0, "the source stays as it was"),
            ("cutover", keep.clone(), 0, "question 1 of 2"),
            ("cutover", keep, 1, "deletes the copy"),
        ];
        for (question, approval, asked, words) in cases {
            let text = text(&input(question, approval, asked), 0, None);
            assert!(text.contains(words), "{words:?} is not in {text}");
        }
    }

    #[test]
    fn a_token_is_in_no_debug_text() {
        assert!(!format!("{:?}", input("reboot", json!({}), 0)).contains("AQC"));
    }
}
