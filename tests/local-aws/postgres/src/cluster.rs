//! One cluster: a data folder and, when started, its server.

use std::fs::OpenOptions;
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config};

use crate::config::{Encryption, ServerFiles, authority_path, certificate_path, conf_path, hba_path, key_path};
use crate::files::{make_private_folder, write_private_file};
use crate::program::{Programs, tail};
use crate::servers::{ADMIN, Servers};
use crate::tls::connect;
use crate::{Error, Result};

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Connections are ended and a checkpoint is written: what a reboot does.
    Fast,
    /// At once, as in a crash; the next start recovers.
    Immediate,
}

/// A recovery after a crash under load takes a while, on a slow disk longer.
const LONGEST_START: Duration = Duration::from_secs(120);
/// A fast stop waits for clients of logical decoding to take the rest; one that hangs must not hang the stand-in.
const LONGEST_FAST_STOP: Duration = Duration::from_secs(20);
const LONGEST_STOP: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
/// Enough of a log to see why a start failed.
const LOG_TAIL: usize = 3000;

/// A data folder with its server. Dropping it stops the server at once; the folder goes with the scratch folder.
#[derive(Debug)]
pub struct Cluster {
    servers: Servers,
    programs: Programs,
    name: String,
    folder: PathBuf,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    server: Child,
    files: ServerFiles,
}

impl Cluster {
    pub(crate) fn new(servers: Servers, programs: Programs, name: &str) -> Self {
        let folder = servers.cluster_folder(name);
        Self { servers, programs, name: name.to_owned(), folder, running: Mutex::new(None) }
    }

    /// PostgreSQL's major version.
    pub fn major(&self) -> u16 {
        self.programs.major
    }

    /// The name it was made under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The data folder.
    pub fn data_folder(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The server's log over all its starts.
    pub fn log_path(&self) -> PathBuf {
        self.folder.join("log/postgresql.log")
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn programs(&self) -> &Programs {
        &self.programs
    }

    pub(crate) fn servers(&self) -> &Servers {
        &self.servers
    }

    /// What the server was started with, while it has not been stopped.
    pub fn files(&self) -> Option<ServerFiles> {
        self.lock().as_ref().map(|running| running.files.clone())
    }

    /// How to connect as the superuser [`ADMIN`] to database `postgres`, without TLS. Panics if it is not started.
    pub fn admin_config(&self) -> Config {
        self.admin_config_if_started().expect("admin_config is asked of a started cluster")
    }

    /// The same, or `None` if it is not started.
    pub fn admin_config_if_started(&self) -> Option<Config> {
        let listen = self.lock().as_ref()?.files.listen;
        let mut config = Config::new();
        config
            .host(listen.address.to_string())
            .port(listen.port)
            .user(ADMIN)
            .password(self.servers.shared.templates.admin_password())
            .dbname("postgres")
            .application_name(ADMIN)
            .connect_timeout(Duration::from_secs(5));
        Some(config)
    }

    /// Connect as the superuser to a database.
    pub async fn admin(&self, database: &str) -> Result<Client> {
        let mut config = self.admin_config();
        connect(config.dbname(database)).await
    }

    /// Start the server and wait until it answers.
    pub async fn start(&self, files: ServerFiles) -> Result<()> {
        if self.is_running() {
            return Err(self.failed("start", "it is running"));
        }
        self.write_files(&files)?;
        let server = self.spawn(files.peer)?;
        *self.lock() = Some(Running { server, files });
        self.wait_until_ready().await
    }

    /// Whether the server's process lives.
    pub fn is_running(&self) -> bool {
        match self.lock().as_mut() {
            Some(running) => matches!(running.server.try_wait(), Ok(None)),
            None => false,
        }
    }

    /// Stop the server. A fast stop that takes too long becomes an immediate one. Stopping a stopped one does nothing.
    pub async fn stop(&self, how: Shutdown) -> Result<()> {
        let began = Instant::now();
        let mut how = how;
        self.signal(how)?;
        while self.is_running() {
            if began.elapsed() > LONGEST_STOP {
                return Err(self.failed("stop", &format!("still there after {} s", LONGEST_STOP.as_secs())));
            }
            if how == Shutdown::Fast && began.elapsed() > LONGEST_FAST_STOP {
                how = Shutdown::Immediate;
                self.signal(how)?;
            }
            tokio::time::sleep(POLL).await;
        }
        *self.lock() = None;
        Ok(())
    }

    /// Stop fast and start again with these files.
    pub async fn restart(&self, files: ServerFiles) -> Result<()> {
        self.stop(Shutdown::Fast).await?;
        self.start(files).await
    }

    /// Write the files anew and let the running server read them: what needs no restart takes hold.
    pub fn reload(&self, files: ServerFiles) -> Result<()> {
        self.write_files(&files)?;
        match self.lock().as_mut() {
            Some(running) => {
                running.files = files;
                send(running, Signal::SIGHUP).map_err(|reason| self.failed("reload", &reason))
            }
            None => Err(self.failed("reload", "it is not running")),
        }
    }

    /// Stop the server at once and remove all its files.
    pub async fn remove(self) -> Result<()> {
        self.stop(Shutdown::Immediate).await?;
        let folder = self.folder.clone();
        crate::program::blocking(move || std::fs::remove_dir_all(&folder).map_err(Error::file("remove", &folder))).await
    }

    fn write_files(&self, files: &ServerFiles) -> Result<()> {
        let shared = &self.servers.shared;
        let write = |path: PathBuf, text: &str| write_private_file(&path, text, shared.user);
        if let Encryption::Offered(certificate) | Encryption::Required(certificate) = &files.encryption {
            write(certificate_path(&self.folder), &certificate.certificate_pem)?;
            write(key_path(&self.folder), &certificate.key_pem)?;
            write(authority_path(&self.folder), &certificate.authority_pem)?;
        }
        write(hba_path(&self.folder), &files.pg_hba_conf())?;
        write(conf_path(&self.folder), &files.postgresql_conf(&self.folder, shared.durability))
    }

    fn spawn(&self, peer: Option<Ipv4Addr>) -> Result<Child> {
        let log_path = self.log_path();
        make_private_folder(&self.folder.join("log"), self.servers.shared.user)?;
        let log =
            OpenOptions::new().create(true).append(true).open(&log_path).map_err(Error::file("open", &log_path))?;
        let also_log = log.try_clone().map_err(Error::file("open", &log_path))?;
        let mut command = self.programs.command("postgres", &self.data_folder());
        command
            .arg("-D")
            .arg(self.data_folder())
            .arg("-c")
            .arg(format!("config_file={}", conf_path(&self.folder).display()))
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(also_log))
            // Ctrl-C in a terminal goes to the whole group; the servers end in our order.
            .process_group(0);
        if let Some(peer) = peer {
            command.env("PGHOSTADDR", peer.to_string());
        }
        command.spawn().map_err(|error| self.failed("start", &error.to_string()))
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let began = Instant::now();
        loop {
            let refusal = match self.admin("postgres").await {
                Ok(_) => return Ok(()),
                Err(refusal) => refusal,
            };
            if !self.is_running() {
                return Err(self.failed("start", &format!("it ended: {}", self.end_of_log())));
            }
            if is_final(&refusal) || began.elapsed() > LONGEST_START {
                return Err(self.failed("start", &format!("{refusal}: {}", self.end_of_log())));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn signal(&self, how: Shutdown) -> Result<()> {
        let signal = match how {
            Shutdown::Fast => Signal::SIGINT,
            Shutdown::Immediate => Signal::SIGQUIT,
        };
        match self.lock().as_mut() {
            Some(running) => send(running, signal).map_err(|reason| self.failed("stop", &reason)),
            None => Ok(()),
        }
    }

    fn end_of_log(&self) -> String {
        let log = std::fs::read(self.log_path()).unwrap_or_default();
        tail(String::from_utf8_lossy(&log).trim(), LOG_TAIL).to_owned()
    }

    fn failed(&self, what: &'static str, reason: &str) -> Error {
        Error::Server { what, cluster: self.name.clone(), reason: reason.to_owned() }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Signal the server if it still lives: its id may belong to somebody else once it was awaited.
fn send(running: &mut Running, signal: Signal) -> std::result::Result<(), String> {
    match running.server.try_wait() {
        Ok(None) => {
            let id = i32::try_from(running.server.id()).map_err(|error| error.to_string())?;
            kill(Pid::from_raw(id), signal).map_err(|error| error.to_string())
        }
        Ok(Some(_)) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// A refused password will be refused again; everything else may be a server on its way up.
fn is_final(refusal: &Error) -> bool {
    matches!(refusal, Error::Sql { source, .. } if source.code() == Some(&SqlState::INVALID_PASSWORD))
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut running) = self.lock().take()
            && send(&mut running, Signal::SIGQUIT).is_ok()
        {
            let _exit_status = running.server.wait();
        }
    }
}
