//! A call inside the process, held against the model as the gateway would: for tests of a service without a wire.

use crate::model::{Model, check_input, check_output};
use crate::{ApiError, Call, Reply, Service};

/// Call a service; an input or an answer that does not fit the model is an `InternalFailure` that names what does not.
pub async fn checked(service: &dyn Service, call: &Call) -> Reply {
    let unfit =
        |what: &str, problems| ApiError::internal(format!("{what} of {} does not fit: {problems:?}", call.operation));
    let model = Model::of(service.name());
    let Some((model, operation)) = model.and_then(|model| Some((model, model.operations.get(&call.operation)?))) else {
        return service.call(call).await;
    };
    let problems = check_input(model, operation, &call.input);
    if !problems.is_empty() {
        return Err(unfit("the input", problems));
    }
    let output = service.call(call).await?;
    let problems = check_output(model, operation, &output);
    if problems.is_empty() { Ok(output) } else { Err(unfit("the answer", problems)) }
}
