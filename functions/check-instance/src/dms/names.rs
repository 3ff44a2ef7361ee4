//! Which of the names that the run will use in DMS are taken.

use pgleap_dms::Dms;
use pgleap_step_kit::prelude::*;

use crate::facts::Taken;
use crate::observe::Look;

/// A look at each. DMS shows no tags where it describes; a name that begins with the run's prefix is the run's or in its
/// way all the same.
pub(super) async fn taken(dms: &Dms, run: &Run) -> Vec<Look> {
    let names = run.names();
    let (instance, task) = (names.replication_instance(), names.task());
    let (source, target) = (names.source_endpoint(), names.target_endpoint());
    let subnet_group = names.replication_subnet_group();
    vec![
        look("replication instance", &instance, dms.instance(&instance).await.map(|found| found.is_some())),
        look("replication task", &task, dms.has_task(&task).await),
        look("DMS endpoint", &source, dms.endpoint(&source).await.map(|found| found.is_some())),
        look("DMS endpoint", &target, dms.endpoint(&target).await.map(|found| found.is_some())),
        look("replication subnet group", &subnet_group, dms.has_subnet_group(&subnet_group).await),
    ]
}

fn look(kind: &'static str, name: &str, is_there: Result<bool, AwsError>) -> Look {
    Ok(is_there?.then(|| Taken { kind, name: name.to_owned(), ours: true }))
}
