//! GetRandomPassword.

use local_aws_core::{ApiError, Call};

use super::store::error;

const KINDS: [(&str, &str); 4] = [
    ("ExcludeLowercase", "abcdefghijklmnopqrstuvwxyz"),
    ("ExcludeUppercase", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("ExcludeNumbers", "0123456789"),
    ("ExcludePunctuation", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
];

/// A password by the request's rules; for a stand-in, not for secrets that matter.
pub(super) fn generate(call: &Call) -> Result<String, ApiError> {
    let length = usize::try_from(call.int("PasswordLength").unwrap_or(32)).unwrap_or_default();
    if !(1..=4096).contains(&length) {
        return Err(error("InvalidParameterException", "The password length must be between 1 and 4096."));
    }
    let excluded = call.str("ExcludeCharacters").unwrap_or_default();
    let allowed =
        |letters: &str| -> Vec<char> { letters.chars().filter(|letter| !excluded.contains(*letter)).collect() };
    let mut kinds: Vec<Vec<char>> =
        KINDS.iter().filter(|(exclude, _)| !call.flag(exclude)).map(|(_, letters)| allowed(letters)).collect();
    if call.flag("IncludeSpace") {
        kinds.push(vec![' ']);
    }
    kinds.retain(|kind| !kind.is_empty());
    let all: Vec<char> = kinds.concat();
    let each = call.input.get("RequireEachIncludedType").and_then(serde_json::Value::as_bool).unwrap_or(true);
    if all.is_empty() || each && kinds.len() > length {
        return Err(error(
            "InvalidParameterException",
            "The password length or the excluded characters leave no password.",
        ));
    }
    let pick = |letters: &[char]| letters[fastrand::usize(..letters.len())];
    let mut password: Vec<char> = if each { kinds.iter().map(|kind| pick(kind)).collect() } else { Vec::new() };
    password.resize_with(length, || pick(&all));
    fastrand::shuffle(&mut password);
    Ok(password.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_password_has_its_length_each_kind_and_nothing_excluded() {
        let call = Call::new(
            "GetRandomPassword",
            json!({"PasswordLength": 8, "ExcludePunctuation": true, "ExcludeCharacters": "abc0"}),
        );

        for _ in 0..100 {
            let password = generate(&call).unwrap();
            assert_eq!(password.chars().count(), 8);
            assert!(password.chars().all(|letter| letter.is_ascii_alphanumeric() && !"abc0".contains(letter)));
            assert!(password.chars().any(|letter| letter.is_ascii_digit()), "{password} has no digit");
        }
    }
}
