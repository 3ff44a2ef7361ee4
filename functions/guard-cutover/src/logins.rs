//! The owner's login still opens both sides. The target has the passwords of the snapshot; a password that was changed since
//! would be found out after OPEN only, when settling the target needs the owner and nothing leads back.

use pgleap_contract::steps::GuardCutoverInput;
use pgleap_step_kit::prelude::*;

/// Log in to both sides with the owner's current secret.
pub(crate) async fn refuse_changed_password(ctx: &Ctx, input: &GuardCutoverInput) -> StepResult<()> {
    let run = &input.run;
    let (source, target) = tokio::join!(ctx.as_owner(run, &input.source), ctx.as_owner(run, &input.target));
    let mut refused = Vec::new();
    for (side, outcome) in [("source", source), ("target", target)] {
        match outcome {
            Ok(_session) => (),
            Err(error) if is_refusal(error.code) => refused.push((side, error.message)),
            Err(error) => return Err(error),
        }
    }
    match words(&run.source.login_secret, &refused) {
        Some(message) => Err(StepError::new(ErrorCode::CutoverNotSafe, message)),
        None => Ok(()),
    }
}

/// Of a login or its secret; everything else may be mended by another attempt, or is another matter.
fn is_refusal(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::DatabaseDenied | ErrorCode::SecretUnusable)
}

fn words(secret: &str, refused: &[(&str, String)]) -> Option<String> {
    let sides: Vec<_> = refused.iter().map(|(side, _)| *side).collect();
    let advice = match sides[..] {
        [] => return None,
        ["target"] => {
            "the password was changed after the snapshot, and the target has the one of the snapshot; stop the secret's rotation \
             and start again"
        }
        ["source"] => {
            "the password of the secret is not the source's; put the source's password into the secret and start again"
        }
        _ => "put the source's password into the secret and start again",
    };
    let said: Vec<_> = refused.iter().map(|(side, message)| format!("{side}: {message}")).collect();
    Some(format!(
        "the owner's login (secret {secret}) is refused by the {}: {advice} ({})",
        sides.join(" and the "),
        said.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_which_side_and_what_to_do() {
        let refused = |sides: &[&'static str]| sides.iter().map(|side| (*side, "no".to_owned())).collect::<Vec<_>>();
        let cases: [(&[&str], &str); 3] = [
            (&["target"], "is refused by the target: the password was changed after the snapshot"),
            (&["source"], "is refused by the source: the password of the secret is not the source's"),
            (
                &["source", "target"],
                "is refused by the source and the target: put the source's password into the secret",
            ),
        ];
        for (sides, expected) in cases {
            let message = words("s", &refused(sides)).expect("a message");
            assert!(message.contains(expected), "{message}");
        }
        assert_eq!(words("s", &[]), None);
    }

    #[test]
    fn only_a_refused_login_ends_the_run() {
        let cases = [
            (ErrorCode::DatabaseDenied, true),
            (ErrorCode::SecretUnusable, true),
            (ErrorCode::DatabaseUnreachable, false),
            (ErrorCode::Throttled, false),
        ];
        for (code, refusal) in cases {
            assert_eq!(is_refusal(code), refusal, "{code:?}");
        }
    }
}
