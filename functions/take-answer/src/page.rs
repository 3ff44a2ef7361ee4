//! The pages. Pure.

use std::collections::BTreeMap;

use pgleap_contract::steps::Question;
use pgleap_notify::{Asked, Unusable, console};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

use crate::request::Answer;

const MINUTE: &[FormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");

/// Nothing is loaded, framed, kept or passed on: the address of the page is what may answer.
const HEADERS: &[(&str, &str)] = &[
    ("content-type", "text/html; charset=utf-8"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-robots-tag", "noindex, nofollow"),
];

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1.05rem/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto;padding:0 1.2rem}\
h1{font-size:1.35rem;line-height:1.3}\
code{font-size:.95em;overflow-wrap:anywhere}\
form{display:flex;gap:.8rem;margin:1.8rem 0}\
button{font:inherit;padding:.6rem 1.4rem;border-radius:.4rem;border:1px solid;cursor:pointer}\
button.yes{background:#14652f;border-color:#14652f;color:#fff}";

/// A page as a function URL gives it to a browser.
/// Source: AWS Lambda developer guide, Invoking Lambda function URLs, Response payload format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// HTTP's status.
    pub status_code: u16,
    /// HTTP's headers.
    pub headers: BTreeMap<&'static str, &'static str>,
    /// HTML.
    pub body: String,
}

/// What is asked, and two buttons. They send to the page's own address, so that the token is in no form.
pub(crate) fn question(asked: &Asked) -> Page {
    let what = match asked.question {
        Question::Reboot => format!(
            "<h1>May <code>{0}</code> be restarted?</h1>\n\
             <p>Yes: {0} restarts, and every client loses its connection once.<br>\n\
             No: the run ends, and the source stays as it was.</p>",
            escaped(&asked.source)
        ),
        Question::Cutover => format!(
            "<h1>May the applications of <code>{0}</code> move to the new server?</h1>\n\
             <p>Yes: {0} stops accepting applications, the new server takes over, and they reconnect to it.<br>\n\
             No: {0} serves applications as before. The message says what happens to the copy.</p>",
            escaped(&asked.source)
        ),
    };
    let until = i64::try_from(asked.until).ok().and_then(|it| OffsetDateTime::from_unix_timestamp(it).ok());
    let until = until.and_then(|time| time.format(MINUTE).ok()).unwrap_or_default();
    let buttons = "<form method=\"post\">\
                   <button class=\"yes\" name=\"answer\" value=\"yes\">Yes</button>\
                   <button name=\"answer\" value=\"no\">No</button></form>";
    let text = format!(
        "{what}\n{buttons}\n\
         <p>Please answer by {until}. If nobody answers, the run treats it as No. Only the first answer counts.</p>"
    );
    page(200, "pgleap needs an answer", &format!("{text}\n{}", execution(asked)))
}

/// The answer is with the machine.
pub(crate) fn thanks(asked: &Asked, answer: Answer) -> Page {
    let text = match answer {
        Answer::Yes => "<h1>Your answer is Yes.</h1>\n<p>The run continues.</p>",
        Answer::No => "<h1>Your answer is No.</h1>\n<p>The run does not interrupt applications.</p>",
    };
    page(200, "Answer recorded", &format!("{text}\n{}", execution(asked)))
}

/// Somebody was first, perhaps this person, or the time is over.
pub(crate) fn too_late(asked: &Asked) -> Page {
    let text = "<h1>This question is closed.</h1>\n\
                <p>It was already answered, or the run continued without an answer. Your answer has no effect.</p>";
    page(410, "Too late", &format!("{text}\n{}", execution(asked)))
}

/// The link is of no use; why, in its own words.
pub(crate) fn unusable(reason: Unusable) -> Page {
    let status = match reason {
        Unusable::Forged => 403,
        Unusable::Expired => 410,
    };
    let text = format!(
        "<h1>This link cannot be used to answer.</h1>\n\
         <p>{}. If the question is still open, answer with one of the commands in the message.</p>",
        escaped(&sentence(&reason.to_string()))
    );
    page(status, "Link not accepted", &text)
}

/// Neither a look nor one of the buttons.
pub(crate) fn unclear() -> Page {
    page(
        400,
        "Answer not recognized",
        "<h1>Your answer was not recognized.</h1>\n<p>Open the link again and press Yes or No.</p>",
    )
}

/// Our fault, or AWS's.
pub(crate) fn out_of_order() -> Page {
    let text = "<h1>Your answer was not recorded.</h1>\n\
                <p>An error occurred in pgleap or in AWS. Try again, or run one of the commands in the message. \
                The error is in the log of the function <code>take-answer</code>.</p>";
    page(500, "Error", text)
}

fn execution(asked: &Asked) -> String {
    let link = console(&asked.execution_arn);
    let link = escaped(&link);
    format!("<p><a rel=\"noreferrer\" href=\"{link}\">Open the run in the AWS console</a> (requires an AWS login)</p>")
}

fn page(status_code: u16, title: &str, text: &str) -> Page {
    let body = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head>\n<body>\n{text}\n</body></html>\n"
    );
    Page { status_code, headers: HEADERS.iter().copied().collect(), body }
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(question: Question) -> Asked {
        Asked {
            execution_arn: "arn:aws:states:eu-west-1:1:execution:m:r".to_owned(),
            source: "<orders>".to_owned(),
            question,
            until: 1_700_000_000,
            token: serde_json::from_value("AQC==".into()).expect("a token"),
        }
    }

    #[test]
    fn a_question_is_shown_with_its_two_buttons_and_without_its_token() {
        for (question_asked, words) in
            [(Question::Reboot, "be restarted?"), (Question::Cutover, "move to the new server?")]
        {
            let page = question(&asked(question_asked));

            for words in [words, "value=\"yes\"", "value=\"no\"", "2023-11-14 22:13 UTC", "&lt;orders&gt;"] {
                assert!(page.body.contains(words), "{words:?} is not in {}", page.body);
            }
            assert!(!page.body.contains("AQC") && !page.body.contains("<orders>"), "{}", page.body);
        }
    }

    #[test]
    fn each_end_has_its_status() {
        let cases = [
            (thanks(&asked(Question::Cutover), Answer::Yes), 200, "Your answer is Yes"),
            (thanks(&asked(Question::Cutover), Answer::No), 200, "Your answer is No"),
            (too_late(&asked(Question::Reboot)), 410, "already answered"),
            (unusable(Unusable::Expired), 410, "This link has expired"),
            (unusable(Unusable::Forged), 403, "This link is not valid"),
            (unclear(), 400, "not recognized"),
            (out_of_order(), 500, "not recorded"),
        ];
        for (page, status, words) in cases {
            assert_eq!(page.status_code, status);
            assert!(page.body.contains(words), "{words:?} is not in {}", page.body);
            assert_eq!(page.headers["referrer-policy"], "no-referrer");
        }
    }
}
