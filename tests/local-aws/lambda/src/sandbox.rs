//! One process of one function: started, given invocations one at a time, watched, ended.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};

use crate::logs::Logs;
use crate::memory::{self, Resident};

/// An invocation on its way to a sandbox.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) request_id: String,
    pub(crate) payload: Bytes,
    /// Told when the process has taken it: the function's time starts then, not at the process's start.
    pub(crate) taken: oneshot::Sender<()>,
    /// What the process posts in the end.
    pub(crate) posted: oneshot::Sender<Posted>,
}

/// What a process can post for an invocation.
#[derive(Debug)]
pub(crate) enum Posted {
    Response(Bytes),
    Error(Bytes),
}

/// A running process. Dropping the last handle does not end it; [`Sandbox::kill`] does.
#[derive(Debug)]
pub(crate) struct Sandbox {
    pub(crate) function: String,
    pid: u32,
    inbox: mpsc::UnboundedSender<Invocation>,
    taken_from: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    work: Mutex<Work>,
    /// How often it has asked for work and found none.
    rests: watch::Sender<u64>,
    exit: watch::Receiver<Option<ExitStatus>>,
}

/// What the process is busy with.
#[derive(Debug, Default)]
struct Work {
    request_id: Option<String>,
    posted: Option<oneshot::Sender<Posted>>,
    /// Planned kill: how many more API calls it may make.
    calls_left: Option<u64>,
    /// Planned stop: before the process sees the invocation.
    freeze: bool,
}

impl Sandbox {
    /// Start the process; it is of use once it asks the Runtime API for work.
    pub(crate) fn start(
        function: &str,
        binary: &Path,
        folder: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
        logs: &Arc<Logs>,
    ) -> std::io::Result<Arc<Self>> {
        let mut child = Command::new(binary)
            .env_clear()
            .current_dir(folder)
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().unwrap_or_default();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (inbox, taken_from) = mpsc::unbounded_channel();
        let sandbox = Arc::new(Self {
            function: function.to_owned(),
            pid,
            inbox,
            taken_from: tokio::sync::Mutex::new(taken_from),
            work: Mutex::default(),
            rests: watch::Sender::new(0),
            exit: reap(child),
        });
        if let Some(stream) = stdout {
            tokio::spawn(copy_lines(stream, sandbox.clone(), logs.clone()));
        }
        if let Some(stream) = stderr {
            tokio::spawn(copy_lines(stream, sandbox.clone(), logs.clone()));
        }
        Ok(sandbox)
    }

    /// Hand an invocation over. Only who holds the sandbox may do so: it takes one at a time.
    pub(crate) fn give(&self, invocation: Invocation, calls_left: Option<u64>, freeze: bool) {
        *self.work() = Work { request_id: Some(invocation.request_id.clone()), posted: None, calls_left, freeze };
        // A closed inbox is a dead process, which whoever waits for the answer sees as well.
        let _process_ended = self.inbox.send(invocation);
    }

    /// The Runtime API's `next`: the invocation that waits, else `idle` is called and the next one awaited.
    pub(crate) async fn next(&self, idle: impl FnOnce()) -> Option<(String, Bytes)> {
        let mut inbox = self.taken_from.lock().await;
        let invocation = match inbox.try_recv() {
            Ok(invocation) => invocation,
            Err(_) => {
                idle();
                self.rests.send_modify(|rests| *rests += 1);
                inbox.recv().await?
            }
        };
        let freeze = {
            let mut work = self.work();
            work.posted = Some(invocation.posted);
            work.freeze
        };
        if freeze {
            self.freeze();
        }
        let _caller_gave_up = invocation.taken.send(());
        Some((invocation.request_id, invocation.payload))
    }

    /// The Runtime API's `response` and `error`; false if this is not what the sandbox works on.
    pub(crate) fn post(&self, request_id: &str, what: Posted) -> bool {
        let mut work = self.work();
        if work.request_id.as_deref() != Some(request_id) {
            return false;
        }
        work.calls_left = None;
        work.posted.take().is_some_and(|posted| posted.send(what).is_ok())
    }

    /// How often the process has rested: for [`Sandbox::settled`].
    pub(crate) fn rests(&self) -> u64 {
        *self.rests.borrow()
    }

    /// Wait until the process rests again, for a moment: what comes next then finds it warm, as on AWS.
    pub(crate) async fn settled(&self, rests_before: u64) {
        let mut rests = self.rests.subscribe();
        let rests_again = rests.wait_for(|rests| *rests > rests_before);
        let _slow_or_gone = tokio::time::timeout(Duration::from_millis(100), rests_again).await;
    }

    /// The function is about to make an API call: false if a planned kill of this invocation says that it does not.
    /// Calls are told apart by function, not by sandbox, so those of an overlapping invocation count too.
    pub(crate) fn may_call(&self) -> bool {
        match &mut self.work().calls_left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    /// How the process ended; returns at once if it has.
    pub(crate) async fn exited(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_default(),
            Err(_) => ExitStatus::default(),
        }
    }

    /// Has the process ended?
    pub(crate) fn has_exited(&self) -> bool {
        self.exit.borrow().is_some()
    }

    /// End the process and whatever it started. Safe to repeat.
    pub(crate) fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// Stop the process where it is, with its connections and locks.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Let it go on.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        if let (false, Ok(pid)) = (self.has_exited(), i32::try_from(self.pid)) {
            let _already_gone = killpg(Pid::from_raw(pid), signal);
        }
    }

    /// Memory that the process holds; `None` once it has ended.
    pub(crate) fn resident(&self) -> Option<Resident> {
        memory::resident(self.pid)
    }

    /// Wait until the process has held more than `limit` bytes.
    pub(crate) async fn exceeds(&self, limit: u64) {
        loop {
            if self.resident().is_some_and(|resident| resident.peak > limit) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn work(&self) -> std::sync::MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wait for the process on a task of its own, so that it never stays a zombie.
fn reap(mut child: Child) -> watch::Receiver<Option<ExitStatus>> {
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        let status = child.wait().await.unwrap_or_default();
        sender.send_replace(Some(status));
    });
    receiver
}

async fn copy_lines(stream: impl AsyncRead + Unpin, sandbox: Arc<Sandbox>, logs: Arc<Logs>) {
    let mut lines = BufReader::new(stream);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        let request_id = sandbox.work().request_id.clone();
        let text = String::from_utf8_lossy(&line);
        logs.add(&sandbox.function, request_id.as_deref().unwrap_or("-"), text.trim_end());
        line.clear();
    }
}
