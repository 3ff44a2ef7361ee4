//! `ask-approval`, `tell-people`, `find-window`: what people are asked and told, and when they may be interrupted.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Finding, Forecast, Phase, Run};

use super::{PlannedOutage, Repair, SwitchDecision, VerifyCopyOutput};

/// Names one wait of one execution. Whoever has it, and the right to answer for the machine, may answer once; so it
/// is shown to nobody but the person who is asked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskToken(String);

impl TaskToken {
    /// As Step Functions wants it back.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TaskToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskToken(..)")
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// May the source be restarted?
    Reboot,
    /// May the cutover begin?
    Cutover,
}

/// Input of `ask-approval`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AskApprovalInput {
    /// The run.
    pub run: Run,
    /// What the answer must carry.
    pub token: TaskToken,
    /// What is asked.
    pub question: Question,
    /// For how long users would be interrupted, by the plan.
    pub outage: PlannedOutage,
    /// When the record would be switched, if that is known already.
    #[serde(default)]
    pub switch: Option<SwitchDecision>,
    /// The outage by what was measured since.
    #[serde(default)]
    pub forecast: Option<Forecast>,
    /// The cause with which the gate refused the forecast: a yes accepts that.
    #[serde(default)]
    pub too_long: Option<String>,
    /// What preflight found of the instance.
    pub instance: Vec<Finding>,
    /// What preflight found of the database.
    pub database: Vec<Finding>,
    /// What the run mended since.
    pub repairs: Vec<Repair>,
    /// What the comparison of both sides found; absent before it.
    pub verified: Option<VerifyCopyOutput>,
    /// How often this was asked before.
    pub asked: u32,
}

/// Output of `ask-approval`, which nobody reads: the state's result is the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AskApprovalOutput {
    /// SNS's id of the message.
    pub message_id: String,
}

/// Input of `tell-people`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TellPeopleInput {
    /// The execution that the news is about.
    pub execution_arn: String,
    /// The run, where the machine tells of it; where an event of EventBridge does, it is looked up.
    #[serde(default)]
    pub run: Option<Run>,
    /// What happened.
    pub news: News,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum News {
    /// A phase begins.
    Phase(Phase),
    /// Something was mended.
    Mended {
        /// Everything that the run mended so far.
        repairs: Vec<Repair>,
        /// How many of them were told before.
        told: usize,
    },
    /// The source serves again, and the run cleans up.
    WentBack {
        /// The error's word.
        error: String,
        /// Its cause.
        cause: String,
    },
    /// The fail-back path: what would be lost by failing back now; nothing if it is good again.
    FailBackPath {
        /// A sentence each.
        void: Vec<String>,
    },
    /// The execution has ended, however.
    Ended,
}

/// Output of `tell-people`, which nobody waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TellPeopleOutput {
    /// How many messages went to the topic.
    pub messages: usize,
}

/// Input of `find-window`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FindWindowInput {
    /// The run, with a window.
    pub run: Run,
    /// What is to happen in it.
    #[serde(rename = "for")]
    pub purpose: Question,
}

/// Output of `find-window`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FindWindowOutput {
    /// When it opens, or opened, as a Wait state takes it: `2027-02-07T02:00:00Z`.
    pub opens: String,
}
