//! Plans, starts, watches and answers runs of a stack from a terminal. It reads executions through Step Functions' API and
//! changes nothing but what a command says: `start` and `plan` start an execution, `answer` answers a question.

pub mod answer;
pub mod findings;
pub mod follow;
pub mod history;
pub mod lines;
pub mod stack;
mod states;
pub mod watch;
