//! `pgleap watch` follows a rehearsal's execution to its end, over a lost connection and a restart of the command, and shows
//! what the rehearsal itself shows. Both programs must have been built (`make test` does).

#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};

/// Longest wait for a line of either program.
const PATIENCE: Duration = Duration::from_secs(180);

/// What stands between the command and the local AWS, and can be cut.
struct Wire {
    address: SocketAddr,
    is_cut: Arc<AtomicBool>,
}

impl Wire {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let is_cut = Arc::new(AtomicBool::new(false));
        let cut = Arc::clone(&is_cut);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let cut = Arc::clone(&cut);
                tokio::spawn(async move {
                    let through = async {
                        let mut server = TcpStream::connect(server).await?;
                        copy_bidirectional(&mut client, &mut server).await
                    };
                    let until_cut = async {
                        while !cut.load(Ordering::Relaxed) {
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    };
                    tokio::select! {
                        _ = through => {}
                        () = until_cut => {}
                    }
                });
            }
        });
        Self { address, is_cut }
    }
}

/// A program with its screen.
struct Screen {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    seen: Vec<String>,
}

impl Screen {
    fn of(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, seen: Vec::new() }
    }

    /// Read on to a line that contains this.
    async fn until(&mut self, text: &str) -> String {
        let find = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                self.seen.push(line.clone());
                if line.contains(text) {
                    return Some(line);
                }
            }
            None
        };
        let found = tokio::time::timeout(PATIENCE, find).await.ok().flatten();
        found.unwrap_or_else(|| panic!("no line with {text:?} in {:#?}", self.seen))
    }

    /// To the end: everything that it has said.
    async fn end(mut self) -> (Vec<String>, bool) {
        let rest = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                self.seen.push(line);
            }
            self.child.wait().await.unwrap().success()
        };
        let succeeded = tokio::time::timeout(PATIENCE, rest).await;
        (self.seen.clone(), succeeded.unwrap_or_else(|_| panic!("not over: {:#?}", self.seen)))
    }
}

fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.parent().and_then(Path::parent).unwrap().join(name)
}

/// The value of a variable in the line that says how to follow the run.
fn variable<'a>(line: &'a str, name: &str) -> &'a str {
    line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).unwrap()
}

/// The command for the run that a line says how to follow.
fn pgleap(what: &str, line: &str) -> Command {
    let mut command = Command::new(program("pgleap"));
    command.args([what, "--execution", line.rsplit(' ').next().unwrap()]);
    for name in ["AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        command.env(name, variable(line, name));
    }
    command
}

fn watch(line: &str, through: &Wire) -> Screen {
    Screen::of(pgleap("watch", line).env("AWS_ENDPOINT_URL", format!("http://{}", through.address)))
}

fn rehearsal(reports: &Path, more: &[&Path]) -> Screen {
    let mut rehearsal = Command::new(program("rehearsal"));
    Screen::of(rehearsal.args(["run", "--megabytes", "20", "--propagation", "1", "--reports"]).arg(reports).args(more))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_followed_over_a_lost_connection_and_a_restart_of_the_command() {
    let reports = tempfile::tempdir().unwrap();
    let mut rehearsal = rehearsal(reports.path(), &[]);
    let line = rehearsal.until("follow it in another terminal").await;
    let wire = Wire::to(variable(&line, "AWS_ENDPOINT_URL").trim_start_matches("http://").parse().unwrap()).await;

    let mut first = watch(&line, &wire);
    first.until("▶ prepare the source   (next: copy the instance)").await;
    wire.is_cut.store(true, Ordering::Relaxed);
    first.until("Step Functions cannot be reached").await;
    wire.is_cut.store(false, Ordering::Relaxed);
    first.until("▶ upgrade the copy").await;
    drop(first);
    let (seen, succeeded) = watch(&line, &wire).end().await;
    let (screen, _) = rehearsal.end().await;

    assert!(succeeded, "{seen:#?}");
    let report = std::fs::read_to_string(reports.path().join("latest/report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let phases = report["phases"].as_array().unwrap();
    assert!(phases.len() > 8, "{report:#}");
    let began: Vec<_> = seen.iter().filter_map(|line| line.split_once("▶ ")).map(|(_, phase)| phase).collect();
    for (number, phase) in phases.iter().enumerate() {
        let name = phase["name"].as_str().unwrap();
        assert!(began[number].starts_with(name), "{began:?}");
        // The last one ends with the execution, by either reading of the clock.
        let line = screen.iter().find(|line| line.starts_with(&format!("  {name:<34}"))).unwrap();
        let is_last = number + 1 == phases.len();
        assert!(is_last || seen.contains(line), "{line:?} is not in {seen:#?}");
    }
    assert_eq!(began.len(), phases.len(), "{began:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_shown_and_answered_once_from_a_terminal() {
    let reports = tempfile::tempdir().unwrap();
    let input = reports.path().join("input.json");
    std::fs::write(&input, r#"{"approval": {"cutover": true, "waitSeconds": 6000}}"#).unwrap();
    let mut rehearsal = rehearsal(reports.path(), &[Path::new("--input-file"), &input]);
    let line = rehearsal.until("follow it in another terminal").await;

    let mut watching = Screen::of(&mut pgleap("watch", &line));
    watching.until("a person must answer").await;
    // Nobody is at a terminal, so nothing is answered.
    let shown = pgleap("answer", &line).stdin(Stdio::null()).output().await.unwrap();
    assert!(!shown.status.success() && String::from_utf8_lossy(&shown.stderr).contains("nothing was answered"));
    let question = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(question.contains("Expected outage") && question.contains("applications reconnect"), "{question}");
    let yes = pgleap("answer", &line).arg("--yes").output().await.unwrap();
    assert!(yes.status.success(), "{yes:?}");
    let again = pgleap("answer", &line).arg("--yes").output().await.unwrap();
    assert!(!again.status.success(), "{again:?}");

    let (seen, succeeded) = watching.end().await;
    rehearsal.end().await;
    assert!(succeeded, "{seen:#?}");
}
