//! ARNs that an answer of AWS must have.

use crate::aws::{AwsError, Class};

/// The ARN of what was found.
///
/// # Errors
/// It has none: nothing could be asked for with an empty one but something else.
pub fn arn<'a>(of: &str, found: Option<&'a str>) -> Result<&'a str, AwsError> {
    let none = || AwsError {
        doing: format!("read the ARN of {of}"),
        class: Class::Bug,
        code: "no ARN".to_owned(),
        message: "AWS's response has no ARN".to_owned(),
        advice: None,
    };
    found.filter(|arn| !arn.is_empty()).ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use pgleap_contract::ErrorCode;

    use super::*;
    use crate::StepError;

    #[test]
    fn an_answer_without_an_arn_is_an_error_and_never_an_empty_text() {
        assert_eq!(arn("x", Some("arn:x")).expect("there is one"), "arn:x");
        for nothing in [None, Some("")] {
            let error = StepError::from(arn("instance x", nothing).expect_err("none"));
            assert!(error.code == ErrorCode::Bug && error.message.contains("instance x"), "{error}");
        }
    }
}
