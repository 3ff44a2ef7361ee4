//! A parameter group for each family on the way, with the user's own values.

use pgleap_contract::steps::UpgradeHop;
use pgleap_rds::parameters::translate;
use pgleap_rds::{Instance, Rds, quiet};
use pgleap_step_kit::prelude::*;

use crate::fail_back;

/// The group for a hop, made with its values; none if the hop stays in the family that the copy has.
pub(crate) async fn ensure(
    rds: &Rds,
    run: &Run,
    copy: &Instance,
    hop: &UpgradeHop,
    last: &UpgradeHop,
) -> StepResult<Option<String>> {
    let current = rds.group(copy.group_name().unwrap_or_default()).await?;
    if current.is_some_and(|group| group.family == hop.family) {
        return Ok(None);
    }
    let source = rds.instance(&run.source.instance).await?;
    let attached = source.as_ref().and_then(Instance::group_name);
    let attached =
        attached.ok_or_else(|| StepError::new(ErrorCode::InstanceFailed, "find source: it has no parameter group"))?;
    let users = rds.users_values(run, attached).await?;
    let known = rds.known(&hop.family).await?;
    let major = major_of(&hop.version)
        .ok_or_else(|| StepError::bug(format!("version {} has no major version", hop.version)))?;
    let translated = translate(&users, major, |name| known.get(name).cloned());
    if !translated.dropped.is_empty() {
        tracing::warn!(family = hop.family, dropped = translated.dropped.join("; "), "some parameters were not copied");
    }
    let mut values = translated.values;
    let refused = |reason: String| {
        StepError::new(ErrorCode::InstanceFailed, format!("create the parameter group of {}: {reason}", hop.family))
    };
    quiet::add_jobs_off(&mut values, |name| known.contains_key(name)).map_err(refused)?;
    // The group that the target lives with must not need a reboot after OPEN, so nothing static is kept still in it.
    if hop.family != last.family {
        quiet::add_static(&mut values);
    } else if run.fail_back.is_some() {
        fail_back::add(&mut values, &run.limits, |name| known.get(name).cloned()).map_err(refused)?;
    }
    let name = run.names().target_parameter_group(&hop.family);
    rds.ensure_group(run, &name, &hop.family, &values).await?;
    Ok(Some(name))
}

fn major_of(version: &str) -> Option<u32> {
    version.split(['.', '-']).next()?.parse().ok()
}
