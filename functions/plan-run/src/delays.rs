//! Delays of AWS that do not depend on the size of the database, in seconds.
//!
//! Assumed: nobody has measured them on AWS for this project. Order and kind are those of the user guides,
//! lengths those that the local AWS uses, which are round figures out of public reports. `delayScale` of the rates multiplies
//! them all.

/// Attaching a parameter group until it shows as waiting for a reboot.
pub(crate) const ATTACH_GROUP: f64 = 70.0;
/// A reboot, as AWS reports it.
pub(crate) const REBOOT: f64 = 45.0;
/// What clients see of a reboot.
pub(crate) const REBOOT_OUTAGE: f64 = 20.0;
pub(crate) const SNAPSHOT: f64 = 120.0;
pub(crate) const RESTORE: f64 = 400.0;
/// A hop's checks, shutdown, start and events, beside what `pg_upgrade` does.
pub(crate) const UPGRADE: f64 = 450.0;
/// What the load needs and a restore does not take.
pub(crate) const SETTINGS: f64 = 60.0;
/// A standby is made of a snapshot of the volume.
pub(crate) const STANDBY: f64 = 600.0;
/// The first backup reads the whole volume, which was restored and is loaded from S3 as it is read: for each GiB of storage. By
/// one public report two to three hours (hashicorp/terraform-provider-aws issue 44104), by this figure those of a TiB.
pub(crate) const FIRST_BACKUP_OF_GIB: f64 = 10.0;
/// Route 53 says INSYNC.
pub(crate) const IN_SYNC: f64 = 60.0;
/// Snapshot, groups, and what the copy engine made.
pub(crate) const REMOVE: f64 = 400.0;
