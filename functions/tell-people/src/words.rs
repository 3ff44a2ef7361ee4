//! The news in words: a subject, one sentence, where to look. Pure.

use pgleap_contract::steps::{News, VerifyCopyOutput, Warnings};
use pgleap_contract::{ErrorCode, Phase, redact};
use pgleap_notify::{Runbook, console};
use serde_json::Value;

use crate::execution::About;

/// Longest cause that a message quotes, in bytes; the execution has the whole.
const LONGEST_CAUSE: usize = 2_000;

/// Tables that were not compared and are named; the rest are in the execution's output.
const LISTED: usize = 10;

/// What one message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Telling {
    /// The event's detail-type.
    pub(crate) kind: &'static str,
    pub(crate) subject: String,
    pub(crate) sentence: String,
    pub(crate) phase: Option<String>,
    /// The error code, and the page of the runbook that says what to do.
    pub(crate) error: Option<String>,
    pub(crate) page: Option<String>,
    pub(crate) console: String,
}

impl Telling {
    pub(crate) fn text(&self, runbook: &Runbook) -> String {
        let page = self.link(runbook).map(|link| format!("\n\nWhat to do: {link}")).unwrap_or_default();
        format!("{}{page}\n\nThe run in the AWS console: {}", self.sentence, self.console)
    }

    /// Where its page is.
    pub(crate) fn link(&self, runbook: &Runbook) -> Option<String> {
        self.page.as_ref().map(|page| runbook.page(page))
    }
}

/// None, one, or one for each repair.
pub(crate) fn of(about: &About, news: &News) -> Vec<Telling> {
    match news {
        News::Phase(phase) => vec![phase_begins(about, *phase)],
        News::Mended { repairs, told } => repairs
            .iter()
            .skip(*told)
            .map(|repair| {
                let sentence = format!(
                    "Run {} recovered from a problem automatically ({}). Before: {}. Now: {}. Applications are not \
                     affected, and you do not need to do anything.",
                    about.run_id,
                    repair.kind.word(),
                    repair.before,
                    repair.after
                );
                telling(about, "Repair", &format!("recovered from {}", repair.kind.word()), sentence)
            })
            .collect(),
        News::WentBack { error, cause } => {
            let sentence = format!(
                "The source {} serves applications as before: run {} rolled back and is deleting what it created. \
                 The cause was {error}: {}",
                about.source,
                about.run_id,
                bounded(cause)
            );
            vec![failed(telling(about, "Went Back", &format!("rolled back ({error})"), sentence), error)]
        }
        News::FailBackPath { void } => vec![fail_back(about, void)],
        News::Ended => ended(about).into_iter().collect(),
    }
}

fn failed_back(about: &About) -> Telling {
    let run = &about.run_id;
    if about.status == "SUCCEEDED" {
        let sentence = format!(
            "Run {run} failed back: all clients use the old server again, and nothing was lost. The new server is closed to \
             applications and still costs money until you delete it."
        );
        return telling(about, "Ended", "failed back", sentence);
    }
    let error = if about.error.is_empty() { about.status.as_str() } else { about.error.as_str() };
    let sentence = format!(
        "Failing back ended with status {}. Unless the old server was open already, applications use the new server as before, and \
         you can try again. If anything is unfinished, the recovery finishes it automatically. Error {error}: {}",
        about.status,
        bounded(&about.cause)
    );
    failed(telling(about, "Ended", &format!("failing back ended {} ({error})", about.status), sentence), error)
}

/// While the new server serves: `about.source` is the old one, which a run that could fail back names as its target.
fn fail_back(about: &About, void: &[String]) -> Telling {
    if void.is_empty() {
        let sentence = format!(
            "The fail-back path of run {} is good again: failing back to the old server would lose nothing. Applications are not \
             affected, and you do not need to do anything.",
            about.run_id
        );
        return telling(about, "Fail-Back", "the fail-back path is good again", sentence);
    }
    let sentence = format!(
        "Failing back to the old server would lose something now, so run {} refuses it. Applications use the new server and are \
         not affected. What would be lost: {}. If you still want to be able to fail back, docs/cutover-day.md says how to heal this.",
        about.run_id,
        bounded(&void.join("; "))
    );
    failed(
        telling(about, "Fail-Back", "the fail-back path would lose something", sentence),
        ErrorCode::FailBackUnsafe.word(),
    )
}

/// No API says who keeps the record.
const APPLIES: &str = " Do not apply Terraform, CloudFormation or CDK code that manages the record or the instance \
                       until that code names the target. Such an apply would point clients back to the source, which \
                       no longer accepts their connections (see docs/infrastructure-as-code.md).";

fn phase_begins(about: &About, phase: Phase) -> Telling {
    let applies = if phase == Phase::Confirm { APPLIES } else { "" };
    let sentence =
        format!("Run {} has started the phase \"{}\": {}.{applies}", about.run_id, phase.name(), phase.begins());
    Telling { phase: Some(phase.name().to_owned()), ..telling(about, "Phase", phase.name(), sentence) }
}

/// A recovery that ended well, and a plan that was asked for, are no news of their own.
fn ended(about: &About) -> Option<Telling> {
    let run = &about.run_id;
    if about.is_fail_back {
        return Some(failed_back(about));
    }
    if about.status == "SUCCEEDED" {
        let warned = about.warnings.count > 0 || !about.kept.is_empty();
        let left = || [unfinished(&about.warnings), stays(&about.kept)].into_iter().flatten();
        let sentence = match about {
            About { is_recovery: true, .. } if !warned => return None,
            About { is_recovery: true, .. } => {
                let mut parts = vec![format!("The recovery execution {run} is complete.")];
                parts.extend(left());
                parts.join(" ")
            }
            About { is_plan: true, .. } => {
                format!("The plan for {} is ready. It is in the output of the execution {run}.", about.source)
            }
            _ => {
                let (source, version) = (&about.source, &about.target_version);
                let mut parts = vec![if warned {
                    format!(
                        "Run {run} upgraded {source} to PostgreSQL {version}, with warnings. The target serves \
                         applications."
                    )
                } else {
                    format!("Run {run} upgraded {source} to PostgreSQL {version}. The target serves applications.")
                }];
                parts.extend(about.verified.as_ref().and_then(uncompared));
                parts.extend(left());
                parts.join(" ")
            }
        };
        let subject = match (about.is_plan, about.is_recovery, warned) {
            (true, ..) => "the plan is ready",
            (_, true, _) => "recovered, with warnings",
            (_, _, true) => "upgraded, with warnings",
            _ => "upgraded",
        };
        let page = warned.then(|| "README".to_owned());
        return Some(Telling { page, ..telling(about, "Ended", subject, sentence) });
    }
    let error = if about.error.is_empty() { about.status.as_str() } else { about.error.as_str() };
    let who = if about.is_recovery { "The recovery" } else { "Run" };
    let then = if about.is_recovery {
        "Applications may be unable to connect to either server, so please act now."
    } else {
        "The recovery starts automatically and makes sure that either the source or the target serves applications."
    };
    let sentence =
        format!("{who} {run} ended with status {}. {then} Error {error}: {}", about.status, bounded(&about.cause));
    let subject = if about.is_recovery {
        format!("recovery failed ({error})")
    } else {
        format!("run ended {} ({error})", about.status)
    };
    Some(failed(telling(about, "Ended", &subject, sentence), error))
}

/// What nobody compared before applications came to depend on it, for whoever wants to look now.
fn uncompared(verified: &VerifyCopyOutput) -> Option<String> {
    let named: Vec<_> = verified.uncompared.iter().take(LISTED).map(|one| one.table.to_string()).collect();
    let more = verified.tables_uncompared - named.len() as u64;
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!named.is_empty()).then(|| {
        format!("The run did not compare these tables with the source before the cutover: {}{more}.", named.join(", "))
    })
}

/// What stays unfinished, each with what the server said and the SQL that would finish it.
fn unfinished(warnings: &Warnings) -> Option<String> {
    if warnings.count == 0 {
        return None;
    }
    let named = warnings.named.iter();
    let mut lines: Vec<_> = named
        .map(|one| format!("- {}: {}. To finish it, run: {}", one.object, redact(&one.reason), one.statements))
        .collect();
    let more = warnings.count.saturating_sub(warnings.named.len() as u64);
    if more > 0 {
        lines.push(format!("- and {more} more; the log of settle-target lists them"));
    }
    Some(format!(
        "{} of the target's objects or settings could not be finished, but applications can use the target. A \
         constraint in this list is NOT VALID: it applies to new and changed rows only. A materialized view keeps the \
         content that it had on the source. A setting of the instance has the value that RDS gives to a restored \
         instance.\n{}",
        warnings.count,
        lines.join("\n")
    ))
}

/// What the clean-up left, which may cost money until a person deletes it.
fn stays(kept: &[String]) -> Option<String> {
    let kept = (!kept.is_empty()).then(|| kept.join("; "))?;
    Some(format!("The run kept some resources, and they may cost money. Check whether you still need them: {kept}."))
}

fn failed(telling: Telling, error: &str) -> Telling {
    let known = ErrorCode::ALL.iter().any(|code| code.word() == error);
    let page = if known { error } else { "README" };
    Telling { error: Some(error.to_owned()), page: Some(page.to_owned()), ..telling }
}

fn telling(about: &About, kind: &'static str, what: &str, sentence: String) -> Telling {
    Telling {
        kind,
        subject: format!("pgleap {}: {what}", about.source),
        sentence,
        phase: None,
        error: None,
        page: None,
        console: console(&about.execution_arn),
    }
}

/// A failed function's cause is JSON with its message.
fn bounded(cause: &str) -> String {
    let message = serde_json::from_str::<Value>(cause).ok();
    let message = message.as_ref().and_then(|value| value["errorMessage"].as_str()).unwrap_or(cause);
    let message = redact(message);
    message[..message.floor_char_boundary(LONGEST_CAUSE)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn about() -> About {
        About {
            execution_arn: "arn:aws:states:eu-west-1:1:execution:orders-upgrade:orders-18".to_owned(),
            run_id: "orders-18".to_owned(),
            source: "orders-db".to_owned(),
            target_version: "18".to_owned(),
            ..About::default()
        }
    }

    fn text(telling: &Telling) -> String {
        telling.text(&Runbook::at(""))
    }

    #[test]
    fn a_phase_is_told_by_its_name_and_what_it_means() {
        let telling = phase_begins(&about(), Phase::UpgradeCopy);

        assert_eq!(telling.subject, "pgleap orders-db: upgrade the copy");
        assert_eq!(
            telling.sentence,
            "Run orders-18 has started the phase \"upgrade the copy\": the run upgrades the copy; the source serves \
             applications as before."
        );
    }

    #[test]
    fn who_keeps_the_record_in_code_is_told_when_the_target_is_open() {
        let says = |phase| phase_begins(&about(), phase).sentence.contains("docs/infrastructure-as-code.md");

        let told: Vec<_> = Phase::ALL.iter().copied().filter(|phase| says(*phase)).collect();
        assert_eq!(told, [Phase::Confirm]);
    }

    #[test]
    fn the_end_of_failing_back_is_told_as_such() {
        let ended = |status: &str, error: &str| {
            let (status, error) = (status.to_owned(), error.to_owned());
            ended(&About { status, error, is_fail_back: true, ..about() }).expect("news")
        };

        let (good, bad) = (ended("SUCCEEDED", ""), ended("FAILED", "FailBackUnsafe"));

        assert!(good.sentence.contains("all clients use the old server again") && good.error.is_none(), "{good:?}");
        assert_eq!(bad.subject, "pgleap orders-db: failing back ended FAILED (FailBackUnsafe)");
        assert_eq!(bad.page.as_deref(), Some("FailBackUnsafe"));
        assert!(bad.sentence.contains("applications use the new server as before"), "{bad:?}");
    }

    #[test]
    fn only_new_repairs_are_told() {
        let repair =
            json!({"kind": "slot-lost", "tables": [], "before": "no slot", "after": "a new load", "seconds": 5});
        let news = |told: usize| {
            serde_json::from_value(json!({"mended": {"repairs": [repair, repair], "told": told}})).unwrap()
        };

        let told = [0, 1, 2].map(|told| of(&about(), &news(told)).len());

        assert_eq!(told, [2, 1, 0]);
        assert!(of(&about(), &news(1))[0].sentence.contains("slot-lost"));
    }

    #[test]
    fn a_failure_leads_to_the_page_of_its_word() {
        let cause = json!({"errorType": "CopyDiffers", "errorMessage": "table shop.stock differs"}).to_string();
        let back = News::WentBack { error: "CopyDiffers".to_owned(), cause };

        let telling = of(&about(), &back).remove(0);

        assert!(text(&telling).contains("docs/runbook/CopyDiffers.md"), "{}", text(&telling));
        assert!(telling.sentence.ends_with("CopyDiffers: table shop.stock differs"), "{}", telling.sentence);
        assert!(text(&telling).contains("#/v2/executions/details/arn:aws:states:"), "{}", text(&telling));
    }

    #[test]
    fn tables_that_were_not_compared_are_named_at_the_end() {
        let verified = |count: u64| {
            json!({"tablesEqual": 7, "tablesUncompared": count,
                "uncompared": (0..count.min(20)).map(|n| json!({"table": {"schema": "shop", "table": format!("hot{n}")}, "why": ""})).collect::<Vec<_>>()})
        };
        let told = |count| {
            let verified = serde_json::from_value(verified(count)).expect("an output");
            let about = About { status: "SUCCEEDED".to_owned(), verified: Some(verified), ..about() };
            of(&about, &News::Ended).remove(0).sentence
        };

        assert!(told(0).ends_with("The target serves applications."), "{}", told(0));
        assert!(told(2).ends_with("before the cutover: shop.hot0, shop.hot1."), "{}", told(2));
        assert!(told(99).ends_with("shop.hot9 and 89 more."), "{}", told(99));
    }

    #[test]
    fn what_stays_unfinished_is_named_with_its_sql_and_the_rest_counted() {
        let one = json!({"object": "foreign key app.o2: o2_o1", "reason": "it is violated", "statements": "ALTER TABLE app.o2 VALIDATE CONSTRAINT o2_o1"});
        let warnings: Warnings = serde_json::from_value(json!({"count": 3, "named": [one]})).unwrap();
        let end = |is_recovery: bool| {
            let about = About { status: "SUCCEEDED".to_owned(), is_recovery, warnings: warnings.clone(), ..about() };
            of(&about, &News::Ended).remove(0)
        };

        let (run, recovery) = (end(false), end(true));

        assert_eq!(run.subject, "pgleap orders-db: upgraded, with warnings");
        assert_eq!(recovery.subject, "pgleap orders-db: recovered, with warnings");
        for telling in [run, recovery] {
            let text = text(&telling);
            assert!(text.contains("o2_o1: it is violated. To finish it, run: ALTER TABLE app.o2 VALIDATE"), "{text}");
            assert!(text.contains("and 2 more") && text.contains("docs/runbook/README.md"), "{text}");
        }
    }

    /// A recovery that ended well is no news, but for what it left.
    #[test]
    fn what_stays_after_an_end_is_told() {
        let kept = vec!["instance orders-db-v18: it could not be asked whether it was ever opened".to_owned()];
        for is_recovery in [false, true] {
            let about = About { status: "SUCCEEDED".to_owned(), is_recovery, kept: kept.clone(), ..about() };

            let telling = of(&about, &News::Ended).remove(0);

            assert!(
                telling.sentence.contains("Check whether you still need them: instance orders-db-v18"),
                "{}",
                telling.sentence
            );
            assert!(telling.subject.ends_with("with warnings"), "{}", telling.subject);
            assert!(of(&About { kept: Vec::new(), is_recovery: true, ..about }, &News::Ended).is_empty());
        }
    }

    #[test]
    fn an_end_is_told_whatever_it_was() {
        let end = |status: &str, error: &str, plan: bool, recovery: bool| {
            let about = About {
                status: status.to_owned(),
                error: error.to_owned(),
                is_plan: plan,
                is_recovery: recovery,
                ..about()
            };
            of(&about, &News::Ended).first().map(|telling| (telling.subject.clone(), telling.page.clone()))
        };
        let page = |word: &str| Some(word.to_owned());
        let told = |subject: &str, page: Option<String>| Some((format!("pgleap orders-db: {subject}"), page));

        assert_eq!(end("SUCCEEDED", "", false, false), told("upgraded", None));
        assert_eq!(end("SUCCEEDED", "", true, false), told("the plan is ready", None));
        assert_eq!(end("SUCCEEDED", "", false, true), None);
        assert_eq!(
            end("FAILED", "TooMuchWal", false, false),
            told("run ended FAILED (TooMuchWal)", page("TooMuchWal"))
        );
        assert_eq!(end("TIMED_OUT", "", false, false), told("run ended TIMED_OUT (TIMED_OUT)", page("README")));
        assert_eq!(
            end("FAILED", "UnfenceUnsafe", false, true),
            told("recovery failed (UnfenceUnsafe)", page("UnfenceUnsafe"))
        );
    }
}
