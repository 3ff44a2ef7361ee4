//! The secret with which DMS reaches the target: the source's login, which the copy has too, at the target's address.

use pgleap_step_kit::prelude::*;
use serde_json::{Value, json};

/// Make it, or bring it up to date.
pub(crate) async fn ensure(ctx: &Ctx, run: &Run, target: &Server) -> StepResult<()> {
    let names = run.names();
    let name = names.copy_target_secret();
    let login = ctx.login(&names.copy_source_secret()).await?;
    // Source: AWS DMS user guide, "Using secrets to access AWS Database Migration Service endpoints".
    let wanted =
        json!({"username": login.username, "password": login.password, "host": target.host, "port": target.port});
    if ctx.has_made_secret(run, &name).await? {
        return update(ctx, &name, &wanted).await;
    }
    ctx.make_secret(run, &name, wanted.to_string()).await
}

/// Only if it is otherwise: a target that was restored anew may listen elsewhere.
async fn update(ctx: &Ctx, name: &str, wanted: &Value) -> StepResult<()> {
    let has = ctx.find_secret(name).await?;
    let has: Option<Value> = has.and_then(|text| serde_json::from_str(&text).ok());
    if has.as_ref() != Some(wanted) {
        ctx.update_secret(name, wanted.to_string()).await?;
    }
    Ok(())
}
