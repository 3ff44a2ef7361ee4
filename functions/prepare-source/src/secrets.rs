//! Passwords: made here, kept in Secrets Manager, never shown. A secret is made before its role, so that no role ever has
//! a password that nobody knows.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::types::Tag;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pgleap_pg::Login;
use pgleap_step_kit::prelude::*;
use serde_json::{Value, json};

/// Bytes of chance in a password: 43 characters of base64, which no quoting rule of any tool touches.
const PASSWORD_BYTES: usize = 32;

/// The run's two logins with the passwords that their secrets hold.
pub(crate) struct Logins {
    pub(crate) work: Login,
    pub(crate) copy: Login,
}

/// Read both secrets, or make them.
pub(crate) async fn ensure(ctx: &Ctx, run: &Run, source: &Server) -> StepResult<Logins> {
    let names = run.id.names();
    let client = Client::new(ctx.aws());
    let work = ensure_one(ctx, &client, run, &names.work_secret(), json!({"username": names.work_login()})).await?;
    // The engine reads host and port from its secret too.
    let for_copy = json!({"username": names.copy_login(), "host": source.host, "port": source.port});
    let copy = ensure_one(ctx, &client, run, &names.copy_source_secret(), for_copy).await?;
    Ok(Logins { work, copy })
}

/// Keep the owner's login as the snapshot will have it. The caller has just logged in by it.
pub(crate) async fn keep_owner(ctx: &Ctx, run: &Run) -> StepResult<()> {
    let name = run.id.names().owner_secret();
    if ctx.has_made_secret(run, &name).await? {
        return Ok(());
    }
    let Login { username, password } = ctx.login(&run.source.login_secret).await?;
    create(&Client::new(ctx.aws()), run, &name, &json!({"username": username, "password": password})).await
}

async fn ensure_one(ctx: &Ctx, client: &Client, run: &Run, name: &str, mut value: Value) -> StepResult<Login> {
    if ctx.has_made_secret(run, name).await? {
        return ctx.login(name).await;
    }
    value["password"] = password()?.into();
    create(client, run, name, &value).await?;
    ctx.login(name).await
}

async fn create(client: &Client, run: &Run, name: &str, value: &Value) -> StepResult<()> {
    let tag = Tag::builder().key(Names::TAG).value(run.id.as_str()).build();
    let create = client
        .create_secret()
        .name(name)
        .description(format!("pgleap run {}; removed at its end", run.id))
        .secret_string(value.to_string())
        .tags(tag);
    match create.send().await.doing(format!("create secret {name}")) {
        Ok(_) => Ok(()),
        // Another call of this step made it a moment ago.
        Err(error) if error.is(Class::AlreadyThere) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn password() -> StepResult<String> {
    let mut bytes = [0_u8; PASSWORD_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| StepError::bug(format!("make a password: {error}")))?;
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
