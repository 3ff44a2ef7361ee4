//! The local DMS on real servers. One program, so that each major's cluster is made once.

#![allow(clippy::unwrap_used, reason = "a test")]

mod carries_everything;
mod fails_where_dms_fails;
mod rare_ways;
mod support;
mod task_life;
mod throughput;
