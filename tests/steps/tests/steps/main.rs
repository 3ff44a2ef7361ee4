//! Every step against the local AWS. One program: the tests wait more than they compute, so they run side by side.

mod arm_deadline;
mod both;
mod broken_loads;
mod defects;
mod fence;
mod late_calls;
mod people;
mod plan;
mod planted;
mod preflight;
mod prepare_source;
mod protect_target;
mod quotas;
mod rare_ways;
mod record;
mod remove_resources;
mod replication;
mod report_run;
mod source;
mod source_watch;
mod start_run;
mod support;
mod tables_in_error;
mod take_answer;
mod target;
mod verify_copy;
