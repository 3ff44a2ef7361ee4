//! The secret with which DMS reaches the target: the source's login, which the copy has too, at the target's address.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::types::Tag;
use pgleap_step_kit::prelude::*;
use serde_json::{Value, json};

/// Make it, or bring it up to date.
pub(crate) async fn ensure(ctx: &Ctx, run: &Run, target: &Server) -> StepResult<()> {
    let names = run.id.names();
    let name = names.copy_target_secret();
    let login = ctx.login(&names.copy_source_secret()).await?;
    // Source: AWS DMS user guide, "Using secrets to access AWS Database Migration Service endpoints".
    let wanted =
        json!({"username": login.username, "password": login.password, "host": target.host, "port": target.port});
    let client = Client::new(ctx.aws());
    if ctx.has_made_secret(run, &name).await? {
        return update(&client, &name, &wanted).await;
    }
    let tag = Tag::builder().key(Names::TAG).value(run.id.as_str()).build();
    let create = client
        .create_secret()
        .name(&name)
        .description(format!("pgleap run {}; removed at its end", run.id))
        .secret_string(wanted.to_string())
        .tags(tag);
    match create.send().await.doing(format!("create secret {name}")) {
        Ok(_) => Ok(()),
        // Another call of this step made it a moment ago.
        Err(error) if error.is(Class::AlreadyThere) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Only if it is otherwise: a target that was restored anew may listen elsewhere.
async fn update(client: &Client, name: &str, wanted: &Value) -> StepResult<()> {
    let has = client.get_secret_value().secret_id(name).send().await.doing(format!("read secret {name}"))?;
    let has: Option<Value> = has.secret_string().and_then(|text| serde_json::from_str(text).ok());
    if has.as_ref() != Some(wanted) {
        let put = client.put_secret_value().secret_id(name).secret_string(wanted.to_string()).send().await;
        put.doing(format!("update secret {name}"))?;
    }
    Ok(())
}
