//! `local-aws`: a local AWS until Ctrl-C, for looking around with the AWS CLI, `psql` and `dig`.

use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use local_aws::{Config, LocalAws, Propagation};
use local_aws_core::Fault;
use tokio::signal::unix::{SignalKind, signal};

/// Start a local AWS (RDS, DMS, Route 53 with DNS, Secrets Manager, Scheduler, EventBridge, Lambda, Step Functions),
/// print its addresses as shell exports, and run until Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "local-aws", version)]
struct Arguments {
    /// Factor on the delays that AWS would take: 0.01 turns 300 s into 3 s.
    #[arg(long, default_value_t = 0.01)]
    time_scale: f64,
    /// Port of the API; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Port of the DNS server; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    dns_port: u16,
    /// Time that a change of a record takes to reach the name servers: seconds, or `realistic` for 2 to 40 s, drawn separately for
    /// each name server and change.
    #[arg(long, value_name = "SECONDS|realistic", default_value = "1")]
    propagation: Propagation,
    /// Seconds for which the resolver keeps every answer at least, whatever the record's TTL is.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    minimum_ttl: u32,
    /// Plan a fault: service:operation:which:effect, for example dms:StartReplicationTask:1:lose-answer. Repeatable.
    #[arg(long)]
    fault: Vec<Fault>,
    /// Plan a fault of DMS's tasks, for example "out-of-memory at 40% while class < dms.t3.large". Repeatable.
    #[arg(long)]
    dms_fault: Vec<local_aws_dms::Fault>,
    /// Leave the scratch folder with data and logs.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .init();
    let config = Config {
        time_scale: arguments.time_scale,
        port: arguments.port,
        dns_port: arguments.dns_port,
        propagation: arguments.propagation,
        minimum_ttl: Duration::from_secs(arguments.minimum_ttl.into()),
        faults: arguments.fault,
        dms_faults: arguments.dms_fault,
        keep: arguments.keep,
        ..Config::default()
    };
    // Listen before there is anything to clean up: a signal during the start counts too.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let asked_to_end = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    tokio::pin!(asked_to_end);
    let aws = tokio::select! {
        started = LocalAws::start(config) => started?,
        () = &mut asked_to_end => return Ok(()),
    };
    print(&aws);
    asked_to_end.await;
    aws.stop().await;
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the addresses are what this program is for")]
fn print(aws: &LocalAws) {
    for (name, value) in aws.addresses() {
        println!("export {name}={value}");
    }
    println!("export AWS_ACCESS_KEY_ID=operator AWS_SECRET_ACCESS_KEY=local");
    println!("# files: {}", aws.scratch_folder().display());
}
