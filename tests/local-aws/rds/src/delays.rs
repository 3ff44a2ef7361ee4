//! How long AWS takes, before the clock's scale. The order of the statuses is documented, the lengths are assumed:
//! what matters is that each lasts longer than a poll, and that a longer one is a longer one.

use std::time::Duration;

/// After an accepted change a read still says `available` for some seconds.
pub(crate) const BEFORE_A_CHANGE_SHOWS: Duration = Duration::from_secs(5);
pub(crate) const CREATING: Duration = Duration::from_secs(240);
pub(crate) const RESTORING: Duration = Duration::from_secs(300);
/// The first backup of a new instance, and those before and after an upgrade.
pub(crate) const BACKING_UP: Duration = Duration::from_secs(60);
/// The first backup after backups were switched on reads the whole volume: for each GiB of storage.
pub(crate) const FIRST_BACKUP_OF_GIB: Duration = Duration::from_secs(10);
/// A standby is made of a snapshot of the volume.
pub(crate) const STANDBY: Duration = Duration::from_secs(600);
/// The settling after a restore, during which `available` was already seen once.
pub(crate) const SETTLING: Duration = Duration::from_secs(30);
/// Blocks of a restored volume come from S3.
pub(crate) const INITIALIZING: Duration = Duration::from_secs(3_600);
pub(crate) const MODIFYING: Duration = Duration::from_secs(45);
/// Attaching a parameter group, changing a dynamic parameter.
pub(crate) const APPLYING: Duration = Duration::from_secs(20);
pub(crate) const REBOOT_BEFORE: Duration = Duration::from_secs(10);
pub(crate) const REBOOT_AFTER: Duration = Duration::from_secs(30);
pub(crate) const SNAPSHOT: Duration = Duration::from_secs(120);
pub(crate) const PRECHECK: Duration = Duration::from_secs(30);
/// On top of what the real `pg_upgrade` takes.
pub(crate) const UPGRADING: Duration = Duration::from_secs(300);
pub(crate) const DELETING: Duration = Duration::from_secs(90);
