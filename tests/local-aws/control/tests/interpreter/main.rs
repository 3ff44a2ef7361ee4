//! The Step Functions interpreter as a child process behind the gateway.

#![allow(clippy::unwrap_used, reason = "a test")]

mod executions;
mod language;
mod support;
