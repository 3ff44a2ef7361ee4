//! The command `local-aws`: addresses on its output, nothing left behind however it ends.

#![allow(clippy::unwrap_used, reason = "a test")]
#![cfg(target_os = "linux")] // processes are found in /proc

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Running {
    child: Child,
    scratch: PathBuf,
    exports: Vec<String>,
}

/// A test that fails leaves nothing running.
impl Drop for Running {
    fn drop(&mut self) {
        let _it_has_ended = self.child.kill();
        let _it_has_ended = self.child.wait();
    }
}

fn start() -> Running {
    let mut child = Command::new(env!("CARGO_BIN_EXE_local-aws"))
        .args(["--time-scale", "0.5", "--fault", "rds:DescribeDBInstances:1:throttle"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut exports = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(scratch) = line.strip_prefix("# files: ") {
            return Running { child, scratch: PathBuf::from(scratch), exports };
        }
        exports.push(line);
    }
    panic!("it ended: {:?}", child.wait());
}

/// Processes that work in the folder.
fn inside(folder: &Path) -> Vec<PathBuf> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| std::fs::read_link(process.path().join("cwd")).ok())
        .filter(|cwd| cwd.starts_with(folder))
        .collect()
}

fn assert_gone(scratch: &Path) {
    let limit = Instant::now() + Duration::from_secs(10);
    while (scratch.exists() || !inside(scratch).is_empty()) && Instant::now() < limit {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!scratch.exists(), "{} is left", scratch.display());
    assert_eq!(inside(scratch), Vec::<PathBuf>::new(), "processes are left");
}

#[test]
fn the_command_prints_its_addresses_and_ends_in_order_when_asked() {
    let mut running = start();

    let names: Vec<_> =
        running.exports.iter().filter_map(|line| line.strip_prefix("export ")?.split('=').next()).collect();
    assert_eq!(
        names,
        ["AWS_ENDPOINT_URL", "AWS_REGION", "PGLEAP_CA_FILE", "PGLEAP_NAMESERVER", "SSL_CERT_FILE", "AWS_ACCESS_KEY_ID"]
    );
    assert!(!inside(&running.scratch).is_empty(), "the interpreter works there");
    let asked = Command::new("kill").arg(running.child.id().to_string()).status().unwrap();

    assert!(asked.success());
    assert!(running.child.wait().unwrap().success());
    assert_gone(&running.scratch);
}

#[test]
fn a_killed_command_leaves_no_process_and_no_folder() {
    let mut running = start();

    running.child.kill().unwrap();
    running.child.wait().unwrap();

    assert_gone(&running.scratch);
}
