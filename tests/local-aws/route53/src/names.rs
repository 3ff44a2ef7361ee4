//! Domain names as Route 53 keeps and orders them.

/// Lower case, with a trailing dot, every character but letters, digits, `-`, `_` and `.` as `\` and three octal
/// digits, so that `*` is `\052` (Route 53 developer guide, "DNS domain name format").
pub(crate) fn canonical(name: &str) -> String {
    let mut canonical = String::with_capacity(name.len() + 1);
    let mut rest = name.bytes().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' => {
                let digits: Vec<u8> = std::iter::from_fn(|| rest.next_if(u8::is_ascii_digit)).take(3).collect();
                canonical.push_str(&octal(from_octal(&digits).unwrap_or(b'\\')));
            }
            byte if plain(byte) => canonical.push(char::from(byte.to_ascii_lowercase())),
            byte => canonical.push_str(&octal(byte)),
        }
    }
    if !canonical.ends_with('.') {
        canonical.push('.');
    }
    canonical
}

fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn from_octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

/// A byte that is plain after all stays plain.
fn octal(byte: u8) -> String {
    if plain(byte) { char::from(byte.to_ascii_lowercase()).to_string() } else { format!("\\{byte:03o}") }
}

/// Route 53 sorts names by their labels from the right: `com.example.www`.
pub(crate) fn sort_key(canonical: &str) -> Vec<String> {
    canonical.trim_end_matches('.').rsplit('.').map(str::to_owned).collect()
}

/// Whether a canonical name is the zone's own or below it.
pub(crate) fn within(name: &str, zone: &str) -> bool {
    name == zone || name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'))
}

/// The names above a canonical one, nearest first: `b.c.` and `c.` of `a.b.c.`.
pub(crate) fn parents(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(above(name), |name| above(name))
}

fn above(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, rest)| rest).filter(|rest| !rest.is_empty())
}

/// An id without the `/hostedzone/` or `/change/` that the API puts before it; both forms are taken.
pub(crate) fn bare_id(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_in_one_form() {
        let cases = [
            ("Db.Example.COM", "db.example.com."),
            ("db.example.com.", "db.example.com."),
            ("*.example.com", "\\052.example.com."),
            ("\\052.example.com.", "\\052.example.com."),
            ("_x-1.a", "_x-1.a."),
            ("a b.c", "a\\040b.c."),
        ];
        for (name, expected) in cases {
            assert_eq!(canonical(name), expected);
        }
    }

    #[test]
    fn a_zone_holds_itself_and_what_is_below() {
        assert!(within("example.com.", "example.com."));
        assert!(within("a.b.example.com.", "example.com."));
        assert!(!within("anexample.com.", "example.com."));
        assert!(!within("com.", "example.com."));
        assert_eq!(parents("a.b.c.").collect::<Vec<_>>(), ["b.c.", "c."]);
    }
}
