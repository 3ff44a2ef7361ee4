//! One start of one function, against the smallest Runtime API that it can ask for work.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

/// How long a start may take before something is wrong with it.
const PATIENCE: Duration = Duration::from_secs(10);
const NEXT: &str = "GET /2018-06-01/runtime/invocation/next ";

/// What a start cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    /// From just before the process is started until it asks for work.
    pub(crate) took: Duration,
    /// The most memory in bytes that it held by then.
    pub(crate) resident: u64,
}

/// Start a function, wait until it asks for work, end it.
pub(crate) async fn start(binary: &Path, environment: &BTreeMap<String, String>) -> Result<Start> {
    let runtime_api = TcpListener::bind(("127.0.0.1", 0)).await.context("listen for the Runtime API")?;
    let mut command = Command::new(binary);
    command.env_clear().envs(environment).env("AWS_LAMBDA_RUNTIME_API", runtime_api.local_addr()?.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());

    let began = Instant::now();
    let mut function = command.spawn().with_context(|| format!("start {}", binary.display()))?;
    let asked = tokio::time::timeout(PATIENCE, asks_for_work(&runtime_api)).await;
    let took = began.elapsed();
    let resident = resident(&function);
    function.kill().context("end the function")?;
    function.wait()?;

    let waiting = || format!("wait for {} to ask for work", binary.display());
    asked.with_context(waiting)?.with_context(waiting)?;
    Ok(Start { took, resident: resident? })
}

/// The connection that waits for an answer: a function that loses it ends.
async fn asks_for_work(runtime_api: &TcpListener) -> Result<TcpStream> {
    let (mut connection, _) = runtime_api.accept().await?;
    let request = head(&mut connection).await?;
    if !request.starts_with(NEXT) {
        bail!("it asked for something else: {}", request.lines().next().unwrap_or_default());
    }
    Ok(connection)
}

async fn head(connection: &mut TcpStream) -> Result<String> {
    let (mut head, mut part) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match connection.read(&mut part).await? {
            0 => bail!("it hung up"),
            length => head.extend_from_slice(&part[..length]),
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// `VmHWM`, the largest resident size so far.
fn resident(function: &Child) -> Result<u64> {
    let path = format!("/proc/{}/status", function.id());
    let status = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM: has it ended?")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().context("VmHWM")?;
    Ok(kilobytes * 1024)
}
