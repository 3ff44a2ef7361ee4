//! Makes clusters: from nothing, from a backup, from another major.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use crate::addresses::{LoopbackAddresses, free_port};
use crate::cluster::Cluster;
use crate::config::{Listen, ServerFiles, Setting};
use crate::files::{copy_folder, make_private_folder};
use crate::program::{Programs, blocking};
use crate::server_user::ServerUser;
use crate::templates::Templates;
use crate::{Backup, Binaries, Error, Result, Scratch};

/// The superuser of every cluster: the stand-in's own hand, as on RDS it is AWS's.
pub const ADMIN: &str = "rdsadmin";

/// The role that a read replica of RDS streams as: it has REPLICATION and is no superuser. A test that wants a standby
/// creates it.
pub const REPLICATOR: &str = "rdsrepladmin";

/// What a server's promises are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// PostgreSQL's defaults: for figures that are published.
    Full,
    /// No fsync, no full pages: several times faster, and a killed server still recovers, because the kernel keeps
    /// what was written. Only a loss of power would lose data.
    #[default]
    UntilPowerFails,
}

/// Everything that clusters of one rehearsal share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Servers {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) scratch: PathBuf,
    pub(crate) user: ServerUser,
    pub(crate) durability: Durability,
    pub(crate) templates: Arc<Templates>,
    addresses: LoopbackAddresses,
    counter: AtomicU32,
}

impl Servers {
    /// Clusters live below the scratch folder; it must outlive them.
    pub fn new(scratch: &Scratch, binaries: Binaries, durability: Durability) -> Result<Self> {
        let user = ServerUser::choose();
        let templates = Arc::new(Templates::new(scratch, binaries, user)?);
        Self::of_templates(scratch, user, durability, templates)
    }

    /// Clusters below another scratch folder, made from the same templates: `initdb` is the larger part of making one.
    /// The folder that these servers lie in must outlive the new ones.
    pub fn sharing_templates(&self, scratch: &Scratch) -> Result<Self> {
        Self::of_templates(scratch, self.shared.user, self.shared.durability, self.shared.templates.clone())
    }

    fn of_templates(
        scratch: &Scratch,
        user: ServerUser,
        durability: Durability,
        templates: Arc<Templates>,
    ) -> Result<Self> {
        let shared = Shared {
            scratch: scratch.path().to_owned(),
            user,
            durability,
            templates,
            addresses: LoopbackAddresses::default(),
            counter: AtomicU32::new(0),
        };
        make_private_folder(&shared.scratch.join("clusters"), user)?;
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The servers of a test program: one scratch folder for all its tests, so that `initdb` runs once per major. It
    /// goes when the program ends. Panics if the programs are missing.
    pub fn for_tests() -> &'static Self {
        static SERVERS: OnceLock<(Scratch, Servers)> = OnceLock::new();
        let (_, servers) = SERVERS.get_or_init(|| {
            let scratch = Scratch::create().expect("a folder can be made for tests");
            let binaries = Binaries::find().expect("`make setup` was run");
            let servers = Self::new(&scratch, binaries, Durability::UntilPowerFails).expect("the folder is our own");
            (scratch, servers)
        });
        servers
    }

    /// The folder that everything lies in.
    pub fn scratch_folder(&self) -> &Path {
        &self.shared.scratch
    }

    /// The majors that can be served.
    pub fn majors(&self) -> Vec<u16> {
        self.shared.templates.majors()
    }

    /// The addresses of this rehearsal.
    pub fn addresses(&self) -> &LoopbackAddresses {
        &self.shared.addresses
    }

    /// A new, empty cluster that is not started. `name` must not be in use; keep it below 40 characters.
    pub async fn create_cluster(&self, major: u16, name: &str) -> Result<Cluster> {
        let template = self.shared.templates.of(major).await?;
        self.copy_to_cluster(major, name, template).await
    }

    /// A cluster made of a backup, not started: its first start recovers, as that of a restored RDS snapshot.
    pub async fn restore_cluster(&self, backup: &Backup, name: &str) -> Result<Cluster> {
        self.copy_to_cluster(backup.major(), name, backup.folder().to_owned()).await
    }

    /// A running cluster with an address and a port of its own and no TLS: what most tests want.
    pub async fn start_plain(&self, major: u16, name: &str, settings: Vec<Setting>) -> Result<Cluster> {
        let port = free_port()?;
        let address = self.shared.addresses.take(port)?;
        let cluster = self.create_cluster(major, name).await?;
        cluster.start(ServerFiles::plain(Listen { address, port }, settings)).await?;
        Ok(cluster)
    }

    /// The programs of a major, where the servers' user can run them.
    pub(crate) async fn programs(&self, major: u16) -> Result<Programs> {
        self.shared.templates.programs(major).await
    }

    /// A number that no other caller gets.
    pub(crate) fn next_number(&self) -> u32 {
        self.shared.counter.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn cluster_folder(&self, name: &str) -> PathBuf {
        self.shared.scratch.join("clusters").join(name)
    }

    async fn copy_to_cluster(&self, major: u16, name: &str, from: PathBuf) -> Result<Cluster> {
        let programs = self.programs(major).await?;
        let (folder, user) = (self.cluster_folder(name), self.shared.user);
        if folder.exists() {
            return Err(Error::Server {
                what: "make",
                cluster: name.to_owned(),
                reason: "the name is in use".to_owned(),
            });
        }
        let data = folder.join("data");
        blocking(move || {
            make_private_folder(&folder, user)?;
            copy_folder(&from, &data, user, &|_| true)
        })
        .await?;
        Ok(Cluster::new(self.clone(), programs, name))
    }
}
