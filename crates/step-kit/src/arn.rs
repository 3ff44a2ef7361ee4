//! ARNs that an answer of AWS must have.

use crate::{StepError, StepResult};

/// The ARN of what was found.
///
/// # Errors
/// It has none: nothing could be asked for with an empty one but something else.
pub fn arn<'a>(of: &str, found: Option<&'a str>) -> StepResult<&'a str> {
    let found = found.filter(|arn| !arn.is_empty());
    found.ok_or_else(|| StepError::bug(format!("read the ARN of {of}: AWS's answer has none")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_an_arn_is_an_error_and_never_an_empty_text() {
        assert_eq!(arn("x", Some("arn:x")).expect("there is one"), "arn:x");
        for nothing in [None, Some("")] {
            assert!(arn("instance x", nothing).expect_err("none").message.contains("instance x"));
        }
    }
}
