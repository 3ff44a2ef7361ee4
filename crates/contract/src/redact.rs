//! Foreign text without passwords and without their verifiers.
//!
//! Server logs, error messages of servers and AWS services, and notes of DMS are quoted in causes, log lines and
//! notifications. A server quotes the statement that failed, so such text may hold `PASSWORD 'SCRAM-SHA-256$..'`. A verifier
//! lets whoever reads it try passwords at leisure; an md5 one is as good as the password.
//!
//! Redact before cutting: what remains of a verifier without its beginning is not recognised. Where a text may be read in
//! two ways, too much is removed rather than too little.

/// What stands in the place of a verifier.
const VERIFIER: &str = "(a password verifier)";
/// What stands in the place of a password.
const PASSWORD: &str = "(a password)";

/// A dollar sign as texts carry it: plain, escaped for JSON, in a URL, in HTML.
const DOLLARS: &[&str] = &["$", "\\u0024", "%24", "&#36;", "&#x24;", "&dollar;"];
/// A single quote, likewise.
const QUOTES: &[&str] = &["'", "\\u0027", "%27", "&#39;", "&#x27;", "&apos;"];
/// `md5` and fewer digits than this is something else.
const FEWEST_DIGITS: usize = 16;

/// The text without passwords and verifiers.
pub fn redact(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(letter) = text[at..].chars().next() {
        let rest = &text[at..];
        match found(rest, text[..at].chars().next_back()) {
            Some(Found { kept, hidden, mark }) => {
                clean.push_str(&rest[..kept]);
                clean.push_str(mark);
                at += kept + hidden;
            }
            None => {
                clean.push(letter);
                at += letter.len_utf8();
            }
        }
    }
    clean
}

/// A secret at the beginning of a text.
struct Found {
    /// Bytes before it, e.g. those of the word PASSWORD.
    kept: usize,
    hidden: usize,
    mark: &'static str,
}

fn found(rest: &str, before: Option<char>) -> Option<Found> {
    match rest.as_bytes().first()?.to_ascii_lowercase() {
        b's' => scram(rest),
        b'm' => md5(rest, before),
        b'p' => password(rest),
        b':' => in_address(rest),
        _ => None,
    }
}

fn scram(rest: &str) -> Option<Found> {
    let name = after(rest, "scram-sha-256")?;
    DOLLARS.iter().find(|dollar| starts(name, dollar))?;
    let hidden = rest.find(ends_token).unwrap_or(rest.len());
    Some(Found { kept: 0, hidden, mark: VERIFIER })
}

fn md5(rest: &str, before: Option<char>) -> Option<Found> {
    let digits = after(rest, "md5")?.bytes().take_while(u8::is_ascii_hexdigit).count();
    // An escape like \n ends in a letter that is none of the word before.
    let in_a_word = before.is_some_and(|before| before.is_ascii_alphabetic() && !matches!(before, 'n' | 't' | 'r'));
    (digits >= FEWEST_DIGITS && !in_a_word).then_some(Found { kept: 0, hidden: 3 + digits, mark: VERIFIER })
}

/// `PASSWORD '..'` in SQL, `password=..` in a connection string, `"password": ".."` in JSON.
fn password(rest: &str) -> Option<Found> {
    let mut value = after(rest, "password")?;
    let key = value.trim_start_matches('\\');
    if let Some(closed) = key.strip_prefix('"').filter(|closed| closed.trim_start().starts_with(':')) {
        value = closed;
    }
    value = skip_space(value);
    let separator = value.chars().next().filter(|letter| matches!(letter, '=' | ':'));
    if separator.is_some() {
        value = skip_space(&value[1..]);
    }
    let kept = rest.len() - value.len();
    let hidden = hidden_value(value, separator)?;
    Some(Found { kept, hidden, mark: PASSWORD })
}

/// Space as it is, or as an escape.
fn skip_space(mut text: &str) -> &str {
    loop {
        let trimmed = text.trim_start();
        let next = ["\\n", "\\t", "\\r", "%20"].iter().find_map(|space| trimmed.strip_prefix(space));
        match next {
            Some(next) => text = next,
            None => return trimmed,
        }
    }
}

fn hidden_value(value: &str, separator: Option<char>) -> Option<usize> {
    if value.starts_with(PASSWORD) || value.starts_with(VERIFIER) {
        return None;
    }
    let opening = ["E", "e", "N", "n", "U&", "u&"].iter().find_map(|prefix| {
        let quoted = value.strip_prefix(prefix)?;
        quote(quoted).map(|_| prefix.len())
    });
    let quoted = &value[opening.unwrap_or(0)..];
    if let Some(mark) = quote(quoted) {
        return Some(value.len() - quoted.len() + quoted_length(quoted, mark));
    }
    if let Some(length) = dollar_quoted_length(value) {
        return Some(length);
    }
    separator?;
    let slashes = value.len() - value.trim_start_matches('\\').len();
    if value[slashes..].starts_with('"') {
        return Some(closed_by(value, &value[..=slashes]));
    }
    let length = value.find(|letter| ends_token(letter) || letter == '&').unwrap_or(value.len());
    (separator == Some('=') && length > 0).then_some(length)
}

fn quote(text: &str) -> Option<&'static str> {
    QUOTES.iter().find(|quote| starts(text, quote)).copied()
}

/// To the quote that ends the string: not doubled, not behind a backslash, not followed by what can only be more of it.
fn quoted_length(text: &str, mark: &str) -> usize {
    let mut at = mark.len();
    while let Some(letter) = text[at..].chars().next() {
        if !starts(&text[at..], mark) {
            at += letter.len_utf8();
            continue;
        }
        let behind = &text[at + mark.len()..];
        if starts(behind, mark) {
            at += 2 * mark.len();
        } else if text[..at].ends_with('\\') || !ends_string(behind) {
            at += mark.len();
        } else {
            return at + mark.len();
        }
    }
    text.len()
}

fn ends_string(behind: &str) -> bool {
    behind.chars().next().is_none_or(|next| next.is_whitespace() || ";,)\"<&\\.]}%+".contains(next))
}

/// `$$..$$`, `$tag$..$tag$`.
fn dollar_quoted_length(value: &str) -> Option<usize> {
    let rest = value.strip_prefix('$')?;
    let tag =
        rest.find('$').filter(|end| rest[..*end].chars().all(|letter| letter.is_alphanumeric() || letter == '_'))?;
    let mark = &value[..tag + 2];
    Some(value[mark.len()..].find(mark).map_or(value.len(), |end| 2 * mark.len() + end))
}

/// From one mark to the next that has no more backslashes before it than the first.
fn closed_by(value: &str, mark: &str) -> usize {
    let mut at = mark.len();
    while let Some(end) = value[at..].find(mark) {
        let (start, after) = (at + end, at + end + mark.len());
        if !value[..start].ends_with('\\') {
            return after;
        }
        at = after;
    }
    value.len()
}

/// `://user:password@host`.
fn in_address(rest: &str) -> Option<Found> {
    let login = rest.strip_prefix("://")?;
    let login = &login[..login.find(|letter: char| ends_token(letter) || letter == '/').unwrap_or(login.len())];
    let (user_and_password, _host) = login.rsplit_once('@')?;
    let (user, secret) = user_and_password.split_once(':')?;
    Some(Found { kept: 3 + user.len() + 1, hidden: secret.len(), mark: PASSWORD })
}

fn ends_token(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '\'' | '"' | ',' | ';' | '<' | '>' | ')')
}

/// What follows a word, whatever its case.
fn after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    starts(text, word).then(|| &text[word.len()..])
}

fn starts(text: &str, word: &str) -> bool {
    text.as_bytes().get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAM: &str = "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0$U3RvcmVkS2V5U3RvcmVk+/U=:U2VydmVyS2V5U2VydmVy/+8=";
    const MD5: &str = "md5a3556571e93b0d20722ba62be61e8c2d";

    fn in_json(text: &str) -> String {
        let quoted = serde_json::Value::from(text).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    }

    #[test]
    fn secrets_go_and_the_words_around_them_stay() {
        let cases = [
            (
                format!("ALTER ROLE reporting WITH LOGIN PASSWORD '{SCRAM}' VALID UNTIL 'infinity';"),
                "ALTER ROLE reporting WITH LOGIN PASSWORD (a password) VALID UNTIL 'infinity';",
            ),
            (
                format!("CREATE ROLE a ENCRYPTED PASSWORD '{MD5}'; next"),
                "CREATE ROLE a ENCRYPTED PASSWORD (a password); next",
            ),
            (format!("verifier {SCRAM} of a"), "verifier (a password verifier) of a"),
            (format!("verifier {MD5}, of a"), "verifier (a password verifier), of a"),
            ("alter user a password 'it''s \"odd\"' login".to_owned(), "alter user a password (a password) login"),
            (r"PASSWORD E'it\'s odd' LOGIN".to_owned(), "PASSWORD (a password) LOGIN"),
            (r"PASSWORD U&'d\0061t' LOGIN".to_owned(), "PASSWORD (a password) LOGIN"),
            ("PASSWORD $$a'b$$ LOGIN".to_owned(), "PASSWORD (a password) LOGIN"),
            ("PASSWORD $x$a$$b$x$ LOGIN".to_owned(), "PASSWORD (a password) LOGIN"),
            ("host=db password=secret user=a".to_owned(), "host=db password=(a password) user=a"),
            ("PGPASSWORD='a b' psql".to_owned(), "PGPASSWORD=(a password) psql"),
            (
                r#"{"username":"a","password":"b\"c","port":1}"#.to_owned(),
                r#"{"username":"a","password":(a password),"port":1}"#,
            ),
            (r#"{\"password\": \"b\\\"c\", \"port\": 1}"#.to_owned(), r#"{\"password\": (a password), \"port\": 1}"#),
            (r#"Login { password: "b", port: 1 }"#.to_owned(), r"Login { password: (a password), port: 1 }"),
            ("postgres://a:b@db:5432/x".to_owned(), "postgres://a:(a password)@db:5432/x"),
            ("PASSWORD 'cut off in the mid".to_owned(), "PASSWORD (a password)"),
        ];
        for (text, clean) in cases {
            assert_eq!(redact(&text), clean, "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        let texts = [
            "",
            "password authentication failed for user \"app\"",
            "ALTER ROLE a PASSWORD NULL",
            "password_encryption = scram-sha-256",
            "SCRAM-SHA-256 authentication is needed",
            "md5 and md5sum, amd5a3556571e93b0d20722ba62be61e8c2d",
            "GRANT rds_password TO app; https://docs.aws.amazon.com/a@b, é 'x'",
            "Your password must be changed: see page",
        ];
        for text in texts {
            assert_eq!(redact(text), text);
        }
    }

    /// Every verifier, in every statement, as every text carries it, cut off anywhere behind its beginning.
    #[test]
    fn nothing_of_a_verifier_outlives_any_form_or_cut() {
        let statements: [fn(&str) -> String; 7] = [
            |secret| format!("ALTER ROLE a WITH PASSWORD '{secret}' LOGIN;\nERROR: x"),
            |secret| format!("CREATE ROLE \"a b\" PASSWORD E'{secret}';"),
            |secret| {
                format!("psql:globals.sql:31: ERROR: bad\nSTATEMENT:\tALTER ROLE a ENCRYPTED PASSWORD\t'{secret}'")
            },
            |secret| format!("(a, '{secret}', NULL)"),
            |secret| format!("{{\"rolpassword\":\"{secret}\"}}"),
            |secret| format!("role a: {secret}"),
            |secret| format!("{secret}\n{secret}"),
        ];
        let carriers: [fn(&str) -> String; 5] = [
            str::to_owned,
            in_json,
            |text| in_json(&in_json(text)),
            |text| text.replace('$', "\\u0024").replace('\'', "\\u0027").replace('/', "\\/"),
            |text| text.replace('$', "%24").replace('\'', "%27").replace('+', "%2B").replace(' ', "%20"),
        ];
        let mut tried = 0;
        for (secret, parts) in [
            (SCRAM, ["U3RvcmVkS2V5", "U2VydmVyS2V5", "c2FsdHNhbHRz"]),
            (MD5, ["a3556571e93b0d20", "722ba62be61e8c2d", "md5a3"]),
        ] {
            for statement in statements {
                for carrier in carriers {
                    let text = carrier(&statement(secret));
                    for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
                        let clean = redact(&text[..end]);
                        // Some digits alone may be anything.
                        let seen = parts.iter().find(|part| clean.contains(**part) && part.len() > 5);
                        assert_eq!(seen, None, "{} of {text}: {clean}", &text[..end]);
                        tried += 1;
                    }
                }
            }
        }
        assert!(tried > 5_000, "{tried}");
    }

    #[test]
    fn redacting_twice_changes_nothing_more() {
        let text = format!("PASSWORD '{SCRAM}' and {MD5} and password=x and postgres://a:b@c");

        let once = redact(&text);

        assert_eq!(redact(&once), once);
    }
}
