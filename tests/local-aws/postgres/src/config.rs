//! What a server is told: postgresql.conf, pg_hba.conf. Pure text, so that it can be tested without a server.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::servers::{ADMIN, Durability, REPLICATOR};
use crate::tls::ServerCertificate;

/// Where a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// Its own loopback address.
    pub address: Ipv4Addr,
    /// The port, the same for all servers of a rehearsal.
    pub port: u16,
}

/// One line of postgresql.conf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Parameter, e.g. `wal_level` or the placeholder `rds.logical_replication`.
    pub name: String,
    /// Value without quotes.
    pub value: String,
}

impl Setting {
    /// A parameter and its value without quotes.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// Whether clients may, or must, use TLS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Encryption {
    /// No TLS at all: for tests that are about something else.
    #[default]
    Off,
    /// TLS for those who ask (`rds.force_ssl=0`).
    Offered(ServerCertificate),
    /// No entry for clients without TLS (`rds.force_ssl=1`).
    Required(ServerCertificate),
}

/// All that a server is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFiles {
    /// Where it listens.
    pub listen: Listen,
    /// TLS.
    pub encryption: Encryption,
    /// Databases that only the administrator may enter.
    pub closed_databases: Vec<String>,
    /// The address that libpq in the server connects to (`PGHOSTADDR`), whatever `host` says, against which it still
    /// verifies the certificate: an [`Outlet`](crate::Outlet), or one other server. With `None` libpq resolves the `host`
    /// of a conninfo.
    pub peer: Option<Ipv4Addr>,
    /// Parameters; a later one wins over an earlier one and over the stand-in's own.
    pub settings: Vec<Setting>,
}

impl ServerFiles {
    /// A plain server without TLS.
    pub fn plain(listen: Listen, settings: Vec<Setting>) -> Self {
        Self { listen, encryption: Encryption::Off, closed_databases: Vec::new(), peer: None, settings }
    }

    /// The text of postgresql.conf for a cluster that lies in `folder`.
    pub(crate) fn postgresql_conf(&self, folder: &Path, durability: Durability) -> String {
        let mut lines = vec![
            line("listen_addresses", &self.listen.address.to_string()),
            line("port", &self.listen.port.to_string()),
            line("unix_socket_directories", ""),
            line("hba_file", &path_text(&hba_path(folder))),
            line("ident_file", &path_text(&folder.join("data/pg_ident.conf"))),
            line("shared_buffers", "32MB"),
            line("timezone", "UTC"),
            line("log_timezone", "UTC"),
            line("log_line_prefix", "%t:%r:%u@%d:[%p]:"),
        ];
        if durability == Durability::UntilPowerFails {
            lines.extend([line("fsync", "off"), line("full_page_writes", "off")]);
        }
        if self.encryption != Encryption::Off {
            lines.extend([
                line("ssl", "on"),
                line("ssl_cert_file", &path_text(&certificate_path(folder))),
                line("ssl_key_file", &path_text(&key_path(folder))),
                line("ssl_ca_file", &path_text(&authority_path(folder))),
            ]);
        }
        lines.extend(self.settings.iter().map(|setting| line(&setting.name, &setting.value)));
        lines.concat()
    }

    /// The text of pg_hba.conf. Clients without TLS meet no entry, as on RDS, rather than a `reject`: the texts differ.
    /// `md5` takes both kinds of stored passwords, as a database that was upgraded from 13 holds both.
    pub(crate) fn pg_hba_conf(&self) -> String {
        let mut lines = vec![
            format!("host all {ADMIN} 127.0.0.0/8 scram-sha-256\n"),
            format!("host replication {ADMIN},{REPLICATOR} 127.0.0.0/8 scram-sha-256\n"),
        ];
        lines.extend(self.closed_databases.iter().map(|database| format!("host {database} all 0.0.0.0/0 reject\n")));
        let kind = if matches!(self.encryption, Encryption::Required(_)) { "hostssl" } else { "host" };
        lines.push(format!("{kind} all all 0.0.0.0/0 md5\n"));
        lines.concat()
    }
}

pub(crate) fn hba_path(folder: &Path) -> PathBuf {
    folder.join("pg_hba.conf")
}

pub(crate) fn conf_path(folder: &Path) -> PathBuf {
    folder.join("postgresql.conf")
}

pub(crate) fn certificate_path(folder: &Path) -> PathBuf {
    folder.join("server.crt")
}

pub(crate) fn key_path(folder: &Path) -> PathBuf {
    folder.join("server.key")
}

/// Named as on RDS.
pub(crate) fn authority_path(folder: &Path) -> PathBuf {
    folder.join("ca-cert.pem")
}

fn line(name: &str, value: &str) -> String {
    format!("{name} = '{}'\n", value.replace('\'', "''"))
}

fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen() -> Listen {
        Listen { address: Ipv4Addr::new(127, 1, 2, 3), port: 5432 }
    }

    #[test]
    fn a_value_with_a_quote_stays_one_value() {
        let files = ServerFiles::plain(listen(), vec![Setting::new("search_path", "\"o'clock\", public")]);

        let conf = files.postgresql_conf(Path::new("/c"), Durability::Full);

        assert!(conf.contains("search_path = '\"o''clock\", public'\n"), "{conf}");
    }

    #[test]
    fn own_settings_come_last_and_so_win() {
        let files = ServerFiles::plain(listen(), vec![Setting::new("fsync", "on")]);

        let conf = files.postgresql_conf(Path::new("/c"), Durability::UntilPowerFails);

        assert!(conf.rfind("fsync = 'on'") > conf.rfind("fsync = 'off'"), "{conf}");
    }

    #[test]
    fn required_tls_leaves_no_entry_for_others() {
        let certificate =
            ServerCertificate { certificate_pem: String::new(), key_pem: String::new(), authority_pem: String::new() };
        let mut files = ServerFiles::plain(listen(), Vec::new());
        files.encryption = Encryption::Required(certificate);
        files.closed_databases = vec!["rdsadmin".to_owned()];

        let hba = files.pg_hba_conf();

        assert!(hba.ends_with("host rdsadmin all 0.0.0.0/0 reject\nhostssl all all 0.0.0.0/0 md5\n"), "{hba}");
    }
}
