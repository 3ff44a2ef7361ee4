//! The person who is asked: reads what the topic got, and pastes one of its lines, or does not.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use aws_config::SdkConfig;
use aws_sdk_sfn::Client;
use local_aws_control::{Message, Sns};
use local_aws_lambda::LambdaHost;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::observer::{Access, connect};
use crate::trouble::PILE_UP;

/// Between two looks into the mailbox.
const LOOK: Duration = Duration::from_millis(100);
/// Longest wait for a question, and for everything to be up again.
const PATIENCE: Duration = Duration::from_secs(900);

/// What the person does in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// Yes to the reboot and to the cutover.
    Approve,
    /// Yes to the reboot, no to the cutover.
    Reject,
    /// Yes to both, by the links.
    ApproveByLink,
    /// Yes to the reboot, no to the cutover by its link.
    RejectByLink,
    /// No to the reboot.
    RejectReboot,
    /// No to the cutover while replication is to go on, then yes.
    RejectThenApprove,
    /// Yes to the reboot, nothing to the cutover.
    NoAnswer,
    /// Yes to the reboot; while the second answer is waited for, WAL piles up behind a transaction that stays open.
    WalWhileWaiting,
    /// Yes to both, after everything but the interpreter was restarted while the second answer was waited for.
    RestartWhileWaiting,
}

const WORDS: &[(&str, Answers)] = &[
    ("approve", Answers::Approve),
    ("reject", Answers::Reject),
    ("approve-by-link", Answers::ApproveByLink),
    ("reject-by-link", Answers::RejectByLink),
    ("reject-reboot", Answers::RejectReboot),
    ("reject-then-approve", Answers::RejectThenApprove),
    ("no-answer", Answers::NoAnswer),
    ("wal-while-waiting", Answers::WalWhileWaiting),
    ("restart-while-waiting", Answers::RestartWhileWaiting),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Yes,
    No,
    YesByLink,
    NoByLink,
    Nothing,
    PileUpWal,
    RestartThenYes,
}

impl Answers {
    /// What the execution's input has beside the usual.
    pub fn input(self) -> Value {
        let seconds = if self == Answers::NoAnswer { 10 } else { 300 };
        let rejected = if self == Answers::RejectThenApprove { "keep-replicating" } else { "go-back" };
        let gigabytes = if self == Answers::WalWhileWaiting { 1 } else { 50 };
        json!({"limits": {"maxRetainedWalGb": gigabytes}, "approval": {"reboot": true, "cutover": true, "waitSeconds": seconds, "onRejectedCutover": rejected}})
    }

    /// The error that the run ends with, and a word of its cause; none if it ends well.
    pub fn ends_with(self) -> Option<(&'static str, &'static str)> {
        match self {
            Answers::Reject | Answers::RejectReboot => Some(("NotApproved", "not now")),
            Answers::RejectByLink => Some(("NotApproved", "through the link in the question")),
            Answers::NoAnswer => Some(("NotApproved", "nobody approved the cutover")),
            Answers::WalWhileWaiting => Some(("TooMuchWal", "limits.maxRetainedWalGb")),
            Answers::Approve | Answers::ApproveByLink | Answers::RejectThenApprove | Answers::RestartWhileWaiting => {
                None
            }
        }
    }

    fn deeds(self) -> &'static [Deed] {
        match self {
            Answers::Approve => &[Deed::Yes, Deed::Yes],
            Answers::Reject => &[Deed::Yes, Deed::No],
            Answers::ApproveByLink => &[Deed::YesByLink, Deed::YesByLink],
            Answers::RejectByLink => &[Deed::Yes, Deed::NoByLink],
            Answers::RejectReboot => &[Deed::No],
            Answers::RejectThenApprove => &[Deed::Yes, Deed::No, Deed::Yes],
            Answers::NoAnswer => &[Deed::Yes, Deed::Nothing],
            Answers::WalWhileWaiting => &[Deed::Yes, Deed::PileUpWal],
            Answers::RestartWhileWaiting => &[Deed::Yes, Deed::RestartThenYes],
        }
    }
}

impl FromStr for Answers {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = WORDS.iter().find(|(word, _)| *word == text);
        found.map(|(_, answers)| *answers).with_context(|| format!("{text:?} is no answer"))
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = WORDS.iter().find(|(_, answers)| answers == self).map_or("", |(word, _)| word);
        f.write_str(word)
    }
}

/// What the person has at hand.
pub struct Person {
    /// The mailbox.
    pub mailbox: Sns,
    /// AWS, as its operator.
    pub sdk: SdkConfig,
    /// Where the local AWS is, `http://host:port`.
    pub gateway: String,
    /// The functions, to be killed.
    pub lambda: LambdaHost,
    /// The instances, to be restarted.
    pub instances: [String; 2],
    /// The source's database.
    pub source: Access,
}

impl Person {
    /// Answer one question after the other, as the scenario has it.
    pub async fn answer(&self, answers: Answers) -> Result<()> {
        let mut read = 0;
        for deed in answers.deeds() {
            let question = self.next_question(&mut read).await?;
            self.refuse_a_token_in_a_log(&question)?;
            match deed {
                Deed::Nothing => {}
                Deed::PileUpWal => self.pile_up_wal().await?,
                Deed::Yes => self.paste(&question, "To answer Yes, run:").await?,
                Deed::No => self.paste(&question, "To answer No, run:").await?,
                Deed::YesByLink => self.press(&question, "yes").await?,
                Deed::NoByLink => self.press(&question, "no").await?,
                Deed::RestartThenYes => {
                    self.restart_everything().await?;
                    self.say_yes_to_the_newest(question, &mut read).await?;
                }
            }
        }
        Ok(())
    }

    async fn next_question(&self, read: &mut usize) -> Result<Message> {
        let began = Instant::now();
        loop {
            let messages = self.mailbox.messages();
            let news = messages.iter().enumerate().skip(*read);
            if let Some((place, question)) = news.into_iter().find(|(_, one)| one.subject.starts_with("pgleap asks")) {
                *read = place + 1;
                return Ok(question.clone());
            }
            ensure!(began.elapsed() < PATIENCE, "the run did not ask within {} s", PATIENCE.as_secs());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Whoever reads a log must not be able to answer.
    fn refuse_a_token_in_a_log(&self, question: &Message) -> Result<()> {
        let token = question.text.split("--task-token '").nth(1).and_then(|rest| rest.split('\'').next());
        let token = token.context("the question has no token")?;
        let link = link_of(question)?;
        let sealed = link.split("?q=").nth(1).context("the link has no question")?;
        for function in self.lambda.functions() {
            let lines = self.lambda.log_tail(&function);
            let gives_away = |line: &String| line.contains(token) || line.contains(sealed);
            ensure!(!lines.iter().any(gives_away), "{function} printed a token or a link");
        }
        Ok(())
    }

    /// As a person does it: look, be shown the question, press a button. What a link must not do is tried on the way.
    async fn press(&self, question: &Message, answer: &str) -> Result<()> {
        let (browser, link, button) = (Browser::new(&self.gateway)?, link_of(question)?, format!("answer={answer}"));
        let forged = browser.press(&format!("{link}x"), &button).await?;
        ensure!(forged.status == 403, "a forged link was accepted: {forged:?}");
        let shown = browser.open(link).await?;
        ensure!(shown.status == 200 && shown.text.contains(&format!("value=\"{answer}\"")), "no button: {shown:?}");
        let taken = browser.press(link, &button).await?;
        ensure!(taken.status == 200, "the answer was not accepted: {taken:?}");
        for again in ["answer=yes", "answer=no"] {
            let again = browser.press(link, again).await?;
            ensure!(again.status == 410, "a second answer was accepted: {again:?}");
        }
        self.refuse_a_token_in_a_log(question)
    }

    /// More than the run may cost the source, held by a transaction that began before, until the run has let go.
    async fn pile_up_wal(&self) -> Result<()> {
        let (holder, writer) = (connect(&self.source).await?, connect(&self.source).await?);
        holder.batch_execute("BEGIN; SELECT pg_logical_emit_message(true, 'rehearsal', 'stays open')").await?;
        writer.batch_execute(PILE_UP).await?;
        let began = Instant::now();
        let slots = "SELECT count(*) FROM pg_replication_slots";
        while writer.query_one(slots, &[]).await?.get::<_, i64>(0) > 0 {
            ensure!(began.elapsed() < PATIENCE, "the slot is still there after {} s", PATIENCE.as_secs());
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// A restart may have led the machine to mend the task first, and then it asks anew.
    async fn say_yes_to_the_newest(&self, first: Message, read: &mut usize) -> Result<()> {
        let mut question = first;
        while let Err(error) = self.paste(&question, "To answer Yes, run:").await {
            tracing::warn!(error = format!("{error:#}"), "the answer was to an older question");
            question = self.next_question(read).await?;
        }
        Ok(())
    }

    /// The line below a heading of the message, as a shell would take it.
    async fn paste(&self, question: &Message, heading: &str) -> Result<()> {
        let mut lines = question.text.lines().skip_while(|line| *line != heading).skip(1);
        let words = shell_words(lines.next().with_context(|| format!("the message has no line below {heading}"))?)?;
        let option = |name: &str| {
            let place = words.iter().position(|word| word == name)?;
            words.get(place + 1).cloned()
        };
        let states = Client::new(&self.sdk);
        let token = option("--task-token").context("the line has no token")?;
        match (words.first().map(String::as_str), words.get(1).map(String::as_str), words.get(2).map(String::as_str)) {
            (Some("aws"), Some("stepfunctions"), Some("send-task-success")) => {
                let output = option("--task-output").context("the line has no output")?;
                states.send_task_success().task_token(token).output(output).send().await?;
            }
            (Some("aws"), Some("stepfunctions"), Some("send-task-failure")) => {
                let failure = states.send_task_failure().task_token(token).set_error(option("--error"));
                failure.set_cause(option("--cause")).send().await?;
            }
            other => bail!("{other:?} is not a command of the AWS CLI for an answer"),
        }
        Ok(())
    }

    /// Every function's process dies, both servers and the replication instance restart.
    async fn restart_everything(&self) -> Result<()> {
        let killed: usize = self.lambda.functions().iter().map(|name| self.lambda.kill_now(name)).sum();
        tracing::info!(killed, "functions were killed");
        let rds = aws_sdk_rds::Client::new(&self.sdk);
        for instance in &self.instances {
            rds.reboot_db_instance().db_instance_identifier(instance).send().await?;
        }
        let dms = aws_sdk_databasemigration::Client::new(&self.sdk);
        let found = dms.describe_replication_instances().send().await?.replication_instances.unwrap_or_default();
        for arn in found.iter().filter_map(|instance| instance.replication_instance_arn()) {
            dms.reboot_replication_instance().replication_instance_arn(arn).send().await?;
        }
        let began = Instant::now();
        loop {
            let instances = rds.describe_db_instances().send().await?;
            let replications =
                dms.describe_replication_instances().send().await?.replication_instances.unwrap_or_default();
            let up = instances.db_instances().iter().all(|one| one.db_instance_status() == Some("available"))
                && replications.iter().all(|one| one.replication_instance_status() == Some("available"));
            if up {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "not everything is available again after {} s", PATIENCE.as_secs());
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The line of the message that is a link to answer by.
fn link_of(question: &Message) -> Result<&str> {
    let link = question.text.lines().find(|line| line.starts_with("https://") && line.contains("?q="));
    link.context("the question has no link")
}

/// Words between blanks; what stands in single quotes is one.
fn shell_words(line: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    for (place, part) in line.split('\'').enumerate() {
        match place % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    ensure!(line.matches('\'').count().is_multiple_of(2), "an open quote in {line}");
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_as_a_shell_takes_it() {
        let words = shell_words("aws x --task-output '{\"approved\":true}' --cause 'not now'").unwrap();

        assert_eq!(words, ["aws", "x", "--task-output", "{\"approved\":true}", "--cause", "not now"]);
        assert!(shell_words("aws 'open").is_err());
    }

    #[test]
    fn answers_are_read_and_written() {
        for (word, _) in WORDS {
            assert_eq!(word.parse::<Answers>().unwrap().to_string(), *word);
        }
        assert!("shrug".parse::<Answers>().is_err());
    }
}
