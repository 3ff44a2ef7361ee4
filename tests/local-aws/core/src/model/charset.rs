//! The one kind of pattern that is checked: "only these characters", such as a schedule's name.
//!
//! Models give Java regular expressions. Nearly all that matter to us are a single class repeated; an engine for the
//! rest would be a dependency for patterns that no call of a run can miss. The others are not checked
//! (docs/fidelity).

/// A set of ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charset {
    /// As the model writes it, for messages.
    pub pattern: String,
    allowed: Vec<(char, char)>,
}

impl Charset {
    /// The set of a pattern such as `^[0-9a-zA-Z-_.]+$`; `None` if the pattern says more than that.
    pub fn parse(pattern: &str) -> Option<Self> {
        let bare = pattern.strip_prefix('^').unwrap_or(pattern);
        let bare = bare.strip_suffix('$').unwrap_or(bare);
        let class = bare.strip_suffix(['+', '*'])?.strip_prefix('[')?.strip_suffix(']')?;
        if class.starts_with('^') {
            return None;
        }
        let mut characters = Vec::new();
        let mut rest = class.chars();
        while let Some(character) = rest.next() {
            characters.push(match character {
                '\\' => (escaped(rest.next()?)?, true),
                '[' | ']' => return None,
                other => (other, false),
            });
        }
        Some(Self { pattern: pattern.to_owned(), allowed: ranges(&characters) })
    }

    /// Whether a text has no other character.
    pub fn allows(&self, text: &str) -> bool {
        text.chars().all(|c| self.allowed.iter().any(|(first, last)| (*first..=*last).contains(&c)))
    }
}

/// A character after a backslash; none for a class such as `\d` or `\p`.
fn escaped(character: char) -> Option<char> {
    (!character.is_ascii_alphanumeric()).then_some(character)
}

/// `a-z` is a range only where the hyphen is bare and stands between two characters that are no range's end.
fn ranges(characters: &[(char, bool)]) -> Vec<(char, char)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < characters.len() {
        let first = characters[at].0;
        let hyphen = characters.get(at + 1).is_some_and(|next| *next == ('-', false));
        match characters.get(at + 2) {
            Some((last, _)) if hyphen && first <= *last => {
                found.push((first, *last));
                at += 3;
            }
            _ => {
                found.push((first, first));
                at += 1;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_that_repeats_is_a_set_of_characters() {
        let cases = [
            ("^[0-9a-zA-Z-_.]+$", "run-1_a.B", true),
            ("^[0-9a-zA-Z-_.]+$", "run 1", false),
            (r"[\.\-_A-Za-z0-9]+", "on-failure.x", true),
            (r"[\.\-_A-Za-z0-9]+", "on/failure", false),
            (r"[0-9A-Za-z_\-\*]+", "*", true),
        ];
        for (pattern, text, allowed) in cases {
            assert_eq!(Charset::parse(pattern).unwrap().allows(text), allowed, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_that_says_more_is_left_alone() {
        for pattern in [r"^arn:aws[a-z-]*:kms:.*", r"[\s\S]*", r"^[\p{L}\p{Z}]*$", "[a]+[b]+", r"[^\x00-\x1F]+"] {
            assert_eq!(Charset::parse(pattern), None, "{pattern}");
        }
    }
}
