//! The owner's login opens both sides. The target has the passwords of the snapshot; if the owner's was changed on the source
//! since, by a rotation of its secret say, the target is given the new one: clients that use it must get in after OPEN.

use pgleap_contract::steps::GuardCutoverInput;
use pgleap_pg::{Login, PgErrorKind, ident, literal};
use pgleap_step_kit::prelude::*;
use serde_json::json;

/// Log in to both sides with the owner's current secret, after the target has got its password if need be.
pub(crate) async fn ensure_owner_gets_in(ctx: &Ctx, input: &GuardCutoverInput) -> StepResult<()> {
    let run = &input.run;
    let (source, target) = tokio::join!(ctx.as_owner(run, &input.source), ctx.as_owner(run, &input.target));
    let (mut source, mut target) = (refusal(source)?, refusal(target)?);
    if source.is_none() && target.is_some() {
        let login = ctx.login(&run.source.login_secret).await?;
        if hand_on(ctx, input, &login).await? {
            source = refusal(ctx.as_owner(run, &input.source).await)?;
            target = refusal(ctx.as_owner(run, &input.target).await)?;
        }
    }
    let refused: Vec<_> =
        [("source", source), ("target", target)].into_iter().filter_map(|(side, said)| Some((side, said?))).collect();
    match words(&run.source.login_secret, &refused) {
        Some(message) => Err(StepError::new(ErrorCode::CutoverNotSafe, message)),
        None => Ok(()),
    }
}

/// Set the password on the target, which a role may do for itself, then keep it: whoever dies in between finds that the current
/// secret opens the target. False if the target cannot be
/// entered with what the run keeps or refuses the change, or the secret names another role.
async fn hand_on(ctx: &Ctx, input: &GuardCutoverInput, login: &Login) -> StepResult<bool> {
    let name = input.run.names().owner_secret();
    let session = match ctx.as_kept_owner(&input.run, &input.target).await {
        Ok(Some(session)) => session,
        Ok(None) => return Ok(false),
        Err(error) if is_refusal(error.code) => return Ok(false),
        Err(error) => return Err(error),
    };
    if ctx.login(&name).await?.username != login.username {
        return Ok(false);
    }
    let alter = format!("ALTER ROLE {} PASSWORD {}", ident(&login.username), literal(&login.verifier()));
    match session.run("set the owner's new password on the target", &alter).await {
        Ok(()) => (),
        Err(error) if error.kind == PgErrorKind::Denied => {
            tracing::warn!(error = %error, "the owner may not change its password on the target");
            return Ok(false);
        }
        Err(error) => return Err(error.into()),
    }
    let value = json!({"username": login.username, "password": login.password}).to_string();
    ctx.update_secret(&name, value).await?;
    tracing::info!("the owner's password was changed on the source; the run has set the new one on the target");
    Ok(true)
}

/// What a side says against a login, if that is a refusal.
fn refusal(outcome: StepResult<pgleap_pg::Session>) -> StepResult<Option<String>> {
    match outcome {
        Ok(_session) => Ok(None),
        Err(error) if is_refusal(error.code) => Ok(Some(error.message)),
        Err(error) => Err(error),
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
            "the target has the login of the snapshot, and the run could not change it; put the login that the source \
             had at the time of the snapshot into the secret, or start a new run"
        }
        ["source"] => {
            "the secret's password is not the one of the source; put the source's password into the secret and start a \
             new run"
        }
        _ => "put the source's password into the secret and start a new run",
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
            (&["target"], "is refused by the target: the target has the login of the snapshot"),
            (&["source"], "is refused by the source: the secret's password is not the one of the source"),
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
