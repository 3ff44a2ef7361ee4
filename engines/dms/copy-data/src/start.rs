//! The start of a task, and what stands in its way.

use pgleap_dms::{Connections, Dms, Standing, Task};
use pgleap_step_kit::prelude::*;

use crate::failed;

/// Start it; answers what is waited for.
pub(crate) async fn start(dms: &Dms, task: &Task) -> StepResult<String> {
    let name = &task.name;
    match dms.start_task(task).await {
        Ok(()) => Ok(format!("task {name} is starting")),
        Err(error) => match refused(&error) {
            Refused::Started => Ok(format!("task {name}: {}", error.message)),
            Refused::Untested => test_again(dms, task).await,
            Refused::Busy => look_at_instance(dms, task, &error.message).await,
            Refused::ForGood => Err(failed(name, &error.message)),
            Refused::Otherwise => Err(error.into()),
        },
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Refused {
    /// It was started before, by a call whose answer was lost. The next look sees it.
    Started,
    /// DMS has forgotten a good connection test; it sometimes does.
    Untested,
    /// The task or its instance is not in a state to start.
    Busy,
    /// DMS does not want this task at all.
    ForGood,
    /// Throttled, denied, no answer.
    Otherwise,
}

fn refused(error: &AwsError) -> Refused {
    match error.class {
        // "Start Type : START_REPLICATION, valid only for tasks running for the first time"
        Class::Refused if error.message.contains("first time") => Refused::Started,
        Class::Refused => Refused::ForGood,
        // "Test connection for replication instance .. and endpoint .. should be successful for starting .."
        Class::WrongState if error.message.contains("est connection") => Refused::Untested,
        Class::WrongState => Refused::Busy,
        _ => Refused::Otherwise,
    }
}

/// A test that fails now ends the load with its reason.
async fn test_again(dms: &Dms, task: &Task) -> StepResult<String> {
    let (instance, endpoints) = (task.instance_arn()?, task.endpoint_arns()?);
    if dms.connections(instance, &endpoints).await? == Connections::Good {
        dms.retest(instance, &endpoints).await?;
    }
    Ok("DMS is testing the connections again".to_owned())
}

/// An instance that no waiting mends would hold the load up for days.
async fn look_at_instance(dms: &Dms, task: &Task, reason: &str) -> StepResult<String> {
    let status = dms.instance_status(task.instance_arn()?).await?;
    if Standing::of(&status) == Standing::Broken {
        let message = format!("start the load: the replication instance is {status}");
        return Err(StepError::new(ErrorCode::InstanceFailed, message));
    }
    Ok(format!("the replication instance is {status}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_that_passes_is_waited_for() {
        let first_time = "Start Type : START_REPLICATION, valid only for tasks running for the first time";
        let untested = "Test connection for replication instance i and endpoint e should be successful for starting the replication task";
        let cases = [
            (Class::Refused, first_time, Refused::Started),
            (Class::Refused, "Invalid table mapping", Refused::ForGood),
            (Class::WrongState, untested, Refused::Untested),
            (Class::WrongState, "Replication Task cannot be started, invalid state", Refused::Busy),
            (Class::Throttled, "Rate exceeded", Refused::Otherwise),
            (Class::Denied, "no", Refused::Otherwise),
        ];
        for (class, message, expected) in cases {
            let (doing, code) = (String::new(), String::new());
            assert_eq!(
                refused(&AwsError { doing, class, code, message: message.to_owned(), advice: None }),
                expected,
                "{message}"
            );
        }
    }
}
