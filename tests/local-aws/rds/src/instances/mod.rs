//! DB instances: what they are, and what may be asked of them.
//!
//! `attributes` holds what is only said back, `jobs` what all background work has in common; the rest is an operation
//! a file.

mod attributes;
mod create;
mod delete;
mod describe;
mod extras;
mod jobs;
mod modify;
mod modify_job;
mod reboot;
mod restore;

pub(crate) use jobs::JobFailed;

use local_aws_postgres::{Encryption, Listen, ServerFiles};

use crate::parameter_groups::{Machine, forces_tls, server_settings};
use crate::roles::ADMIN_DATABASE;
use crate::state::Instance;
use crate::{copy_faults, rds_tools};

/// What formulas of parameters count with.
pub(crate) fn machine_of(instance: &Instance, port: u16) -> Machine {
    let class = instance.class_of();
    let storage_gib = u64::try_from(instance.number("AllocatedStorage")).unwrap_or(0);
    Machine { memory_bytes: class.memory_bytes, cpus: class.cpus, storage_bytes: storage_gib << 30, port }
}

impl Instance {
    /// What the server of an instance is told: the parameters it runs with, its address, its certificate, what is known
    /// of the instance that it was restored from.
    pub(crate) fn server_files(&self, port: u16) -> ServerFiles {
        let mut files = self.own_files(port);
        files.settings.extend(self.origin.as_ref().and_then(|origin| rds_tools::setting(&origin.seed)));
        files.settings.extend(copy_faults::setting(self));
        files
    }

    fn own_files(&self, port: u16) -> ServerFiles {
        let certificate = self.certificate.clone();
        let encryption = match forces_tls(&self.running) {
            true => Encryption::Required(certificate),
            false => Encryption::Offered(certificate),
        };
        ServerFiles {
            listen: Listen { address: self.address, port },
            encryption,
            closed_databases: vec![ADMIN_DATABASE.to_owned()],
            peer: Some(self.outlet.address()),
            settings: server_settings(&self.running),
        }
    }

    /// The folder name of this instance's cluster.
    pub(crate) fn cluster_name(&self) -> String {
        self.cluster_name_on(self.version.major)
    }

    /// The folder name of its cluster on a major; an upgrade makes a second one.
    pub(crate) fn cluster_name_on(&self, major: u16) -> String {
        let short = self.resource_id.trim_start_matches("db-").get(..8).unwrap_or_default().to_lowercase();
        format!("{:.20}-{short}-{major}", self.identifier)
    }
}
