//! Passwords: made here, kept in Secrets Manager, never shown. A secret is made before its role, so that no role ever has
//! a password that nobody knows.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pgleap_pg::Login;
use pgleap_step_kit::prelude::*;
use serde_json::{Value, json};

/// Bytes of chance in a password: 43 characters of base64, which no quoting rule of any tool touches.
const PASSWORD_BYTES: usize = 32;

/// The run's logins with the passwords that their secrets hold.
pub(crate) struct Logins {
    pub(crate) work: Login,
    pub(crate) copy: Login,
    /// Of the fail-back path, where one is kept.
    pub(crate) back: Option<Login>,
}

impl Logins {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Login> {
        [&self.work, &self.copy].into_iter().chain(&self.back)
    }

    /// Those that replicate for hours.
    pub(crate) fn streaming(&self) -> impl Iterator<Item = &Login> {
        [&self.copy].into_iter().chain(&self.back)
    }
}

/// Read the secrets, or make them.
pub(crate) async fn ensure(ctx: &Ctx, run: &Run, source: &Server) -> StepResult<Logins> {
    let names = run.names();
    let work = ensure_one(ctx, run, &names.work_secret(), json!({"username": names.work_login()})).await?;
    // The engine reads host and port from its secret too.
    let for_copy = json!({"username": names.copy_login(), "host": source.host, "port": source.port});
    let copy = ensure_one(ctx, run, &names.copy_source_secret(), for_copy).await?;
    let back = match run.keeps_fail_back() {
        true => Some(ensure_one(ctx, run, &names.back_secret(), json!({"username": names.back_login()})).await?),
        false => None,
    };
    Ok(Logins { work, copy, back })
}

/// Keep the owner's login as the snapshot will have it. The caller has just logged in by it.
pub(crate) async fn keep_owner(ctx: &Ctx, run: &Run) -> StepResult<()> {
    let name = run.names().owner_secret();
    if ctx.has_made_secret(run, &name).await? {
        return Ok(());
    }
    let Login { username, password } = ctx.login(&run.source.login_secret).await?;
    ctx.make_secret(run, &name, json!({"username": username, "password": password}).to_string()).await
}

async fn ensure_one(ctx: &Ctx, run: &Run, name: &str, mut value: Value) -> StepResult<Login> {
    if ctx.has_made_secret(run, name).await? {
        return ctx.login(name).await;
    }
    value["password"] = password()?.into();
    ctx.make_secret(run, name, value.to_string()).await?;
    // What it holds counts: another call of this step may have made it a moment ago.
    ctx.login(name).await
}

fn password() -> StepResult<String> {
    let mut bytes = [0_u8; PASSWORD_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| StepError::bug(format!("generate a password: {error}")))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_plain_and_different() {
        let (one, other) = (password().expect("chance"), password().expect("chance"));

        assert_eq!(one.len(), 43);
        assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        assert_ne!(one, other);
    }
}
