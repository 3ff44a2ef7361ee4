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
            "<h1>May <code>{0}</code> be restarted?</h1>\n<p>Yes: {0} restarts, and every client loses its connection once.<br>\n\
             No: everything stays as it was.</p>",
            escaped(&asked.source)
        ),
        Question::Cutover => format!(
            "<h1>May the applications of <code>{0}</code> move to the new server?</h1>\n\
             <p>Yes: {0} refuses them, the new server takes over, and they connect again.<br>\n\
             No: {0} goes on as before; what becomes of the copy is in the message.</p>",
            escaped(&asked.source)
        ),
    };
    let until = i64::try_from(asked.until).ok().and_then(|it| OffsetDateTime::from_unix_timestamp(it).ok());
    let until = until.and_then(|time| time.format(MINUTE).ok()).unwrap_or_default();
    let buttons = "<form method=\"post\">\
                   <button class=\"yes\" name=\"answer\" value=\"yes\">Yes</button>\
                   <button name=\"answer\" value=\"no\">No</button></form>";
    let text =
        format!("{what}\n{buttons}\n<p>Without an answer until {until} it is a no. The first answer counts.</p>");
    page(200, "pgleap asks", &format!("{text}\n{}", execution(asked)))
}

/// The answer is with the machine.
pub(crate) fn thanks(asked: &Asked, answer: Answer) -> Page {
    let text = match answer {
        Answer::Yes => "<h1>You said yes.</h1>\n<p>The run goes on.</p>",
        Answer::No => "<h1>You said no.</h1>\n<p>The run does not go on.</p>",
    };
    page(200, "Answered", &format!("{text}\n{}", execution(asked)))
}

/// Somebody was first, perhaps this person, or the time is over.
pub(crate) fn too_late(asked: &Asked) -> Page {
    let text = "<h1>Nobody waits for this answer.</h1>\n<p>The question was answered already, or the run has gone on without one.</p>";
    page(410, "Too late", &format!("{text}\n{}", execution(asked)))
}

/// The link is of no use; why, in its own words.
pub(crate) fn unusable(reason: Unusable) -> Page {
    let status = match reason {
        Unusable::Forged => 403,
        Unusable::Expired => 410,
    };
    let text = format!(
        "<h1>This link does not answer anything.</h1>\n<p>{}. The message that you have it from has lines to paste, too.</p>",
        escaped(&sentence(&reason.to_string()))
    );
    page(status, "No use", &text)
}

/// Neither a look nor one of the buttons.
pub(crate) fn unclear() -> Page {
    page(
        400,
        "Unclear",
        "<h1>That was neither yes nor no.</h1>\n<p>Open the link again and use one of its buttons.</p>",
    )
}

/// Our fault, or AWS's.
pub(crate) fn out_of_order() -> Page {
    let text = "<h1>The answer was not passed on.</h1>\n\
                <p>Try again, or paste a line of the message. What went wrong is in the log of the function take-answer.</p>";
    page(500, "Out of order", text)
}

fn execution(asked: &Asked) -> String {
    let link = console(&asked.execution_arn);
    format!("<p><a rel=\"noreferrer\" href=\"{}\">The run</a> (needs a login)</p>", escaped(&link))
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
            (thanks(&asked(Question::Cutover), Answer::Yes), 200, "You said yes"),
            (thanks(&asked(Question::Cutover), Answer::No), 200, "You said no"),
            (too_late(&asked(Question::Reboot)), 410, "answered already"),
            (unusable(Unusable::Expired), 410, "This link has expired"),
            (unusable(Unusable::Forged), 403, "not one of ours"),
            (unclear(), 400, "neither"),
            (out_of_order(), 500, "not passed on"),
        ];
        for (page, status, words) in cases {
            assert_eq!(page.status_code, status);
            assert!(page.body.contains(words), "{words:?} is not in {}", page.body);
            assert_eq!(page.headers["referrer-policy"], "no-referrer");
        }
    }
}
