//! A local CloudFormation with Lambda, IAM and Step Functions (ministack), and the AWS CLI to look into it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use contract_tests::machine::repository;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// How long it may take to listen, and a script to end.
const PATIENCE: Duration = Duration::from_secs(300);

/// A running ministack. It ends with this value.
pub(crate) struct Cloud {
    port: u16,
    _process: Child,
}

impl Cloud {
    /// Start it on loopback. Its functions get `of_functions`, and so call another AWS than the one they live in.
    pub(crate) async fn start(folder: &Path, of_functions: &BTreeMap<String, String>) -> Result<Self> {
        let port = local_aws_postgres::free_port()?;
        let log = File::create(folder.join("ministack.log"))?;
        let process = Command::new(tool("python")?)
            .arg(repository().join("tests/deployment/launcher.py"))
            .current_dir(folder)
            .envs(of_functions)
            .envs(credentials())
            .env("BIND_HOST", "127.0.0.1") // it would listen to the whole network
            .env("GATEWAY_PORT", port.to_string())
            .env("MINISTACK_REGION", "eu-west-1")
            .env("MINISTACK_ACCOUNT_ID", "111122223333")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("start ministack")?;
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if began.elapsed() > PATIENCE {
                bail!("ministack does not listen; see {}", folder.join("ministack.log").display());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(Self { port, _process: process })
    }

    /// Run one of the operator's scripts.
    pub(crate) async fn script(&self, name: &str, arguments: &[&str]) -> Result<String> {
        let mut script = Command::new("bash");
        script.arg(repository().join("scripts").join(name)).args(arguments);
        script.env("AWS_CLI", tool("aws")?).env("YES", "1");
        self.output(script).await.with_context(|| format!("{name} {}", arguments.join(" ")))
    }

    /// Ask with the AWS CLI.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> Result<Value> {
        let mut aws = Command::new(tool("aws")?);
        aws.args(arguments).args(["--output", "json"]);
        let answer = self.output(aws).await.with_context(|| format!("aws {}", arguments.join(" ")))?;
        Ok(if answer.trim().is_empty() { Value::Null } else { serde_json::from_str(&answer)? })
    }

    /// Everything of a stack that can be compared with its template.
    pub(crate) async fn look(&self, stack: &str) -> Result<Value> {
        let mut look = Command::new(tool("python")?);
        look.arg(repository().join("tests/deployment/look.py")).arg(stack);
        Ok(serde_json::from_str(&self.output(look).await.context("look at the stack")?)?)
    }

    async fn output(&self, mut command: Command) -> Result<String> {
        command.envs(credentials()).env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port));
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output()).await.context("it does not end")??;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn tool(name: &str) -> Result<std::path::PathBuf> {
    let path = std::path::absolute(repository().join(".local/deployment/bin").join(name))?;
    if !path.exists() {
        bail!("there is no {}; `make test-deploy` installs it", path.display());
    }
    Ok(path)
}

fn credentials() -> [(&'static str, &'static str); 4] {
    [
        ("AWS_ACCESS_KEY_ID", "operator"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ]
}
