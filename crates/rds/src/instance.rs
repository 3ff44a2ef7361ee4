//! An instance, as RDS describes it.

use aws_sdk_rds::types::DbInstance;
use pgleap_contract::{Names, Run, Server};
use pgleap_step_kit::arn;
use pgleap_step_kit::aws::{AwsError, Doing, Optional};
use pgleap_step_kit::{StepError, StepResult};

use crate::parts::{AttachedGroup, Described, Endpoint, Insights, Monitoring, Role, Subnet};
use crate::tags::{self, Tags, carries};
use crate::{Pending, Rds};

/// An instance. What RDS does not say is none, empty, 0 or off, as it is for an instance that has none of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Instance {
    /// Its identifier.
    pub name: String,
    /// `available`, `modifying`, ..; `unknown` if RDS says none.
    pub status: String,
    /// How far the work on its storage is, in percent.
    pub progress: Option<String>,
    /// `postgres`, ..
    pub engine: String,
    /// Of the engine: `15.7`, ..; `unknown` if RDS says none.
    pub version: String,
    /// `db.m6g.large`, ..
    pub class: String,
    /// The database that it was made with.
    pub database: Option<String>,
    /// Where it listens, once it does.
    pub endpoint: Option<Endpoint>,
    /// Its tags.
    pub tags: Tags,
    /// Its parameter group.
    pub parameter_group: Option<AttachedGroup>,
    /// Modifications that wait.
    pub pending: Pending,
    /// When it was made, in milliseconds since the epoch; none while it is being made.
    pub created: Option<i64>,
    /// The instance of which it is a read replica.
    pub replica_of: Option<String>,
    /// The cluster to which it belongs.
    pub cluster: Option<String>,
    /// Instances that are read replicas of it.
    pub replicas: Vec<String>,
    /// Clusters that are read replicas of it.
    pub cluster_replicas: Vec<String>,
    /// Of its subnet group.
    pub subnets: Vec<Subnet>,
    /// Ids of its VPC security groups.
    pub security_groups: Vec<String>,
    /// ARN of the secret in which RDS keeps its master's password.
    pub managed_secret: Option<String>,
    /// Logins by IAM are allowed.
    pub iam_authentication: bool,
    /// It has a standby.
    pub multi_az: bool,
    /// Days for which backups are kept; 0: there are none.
    pub backup_days: i32,
    /// It has been backed up: there is a moment to which it can be restored.
    pub is_restorable: bool,
    /// What is allocated, in GiB.
    pub storage_gib: Option<i32>,
    /// How far storage grows by itself, in GiB.
    pub grows_to_gib: Option<i32>,
    /// KMS key of the storage, if it is encrypted.
    pub storage_key: Option<String>,
    /// Performance Insights.
    pub insights: Insights,
    /// Enhanced Monitoring.
    pub monitoring: Monitoring,
    /// `sun:01:00-sun:02:00`, in UTC.
    pub maintenance_window: Option<String>,
    /// Minor versions are upgraded in the window.
    pub minor_upgrades: bool,
    /// It cannot be deleted.
    pub deletion_protection: bool,
    /// Roles for features.
    pub roles: Vec<Role>,
    /// To be asked for by [`Instance::arn`].
    pub arn: Option<String>,
    /// Everything, for a restore that keeps what the user chose.
    pub described: Described,
}

impl Instance {
    /// Its ARN.
    ///
    /// # Errors
    /// It has none.
    pub fn arn(&self) -> Result<&str, AwsError> {
        arn(&format!("instance {}", self.name), self.arn.as_deref())
    }

    /// Whether it carries the run's tag.
    pub fn is_ours(&self, run: &Run) -> bool {
        carries(&self.tags, Names::TAG, run)
    }

    /// Whether it carries the tag by which the run may delete it.
    pub fn is_deletable(&self, run: &Run) -> bool {
        carries(&self.tags, Names::DELETABLE_TAG, run)
    }

    /// Name of its parameter group.
    pub fn group_name(&self) -> Option<&str> {
        self.parameter_group.as_ref().map(|group| group.name.as_str())
    }

    /// How its parameters stand: `in-sync`, `pending-reboot`, ..; `unknown` without a group.
    pub fn parameters(&self) -> &str {
        self.parameter_group.as_ref().map_or("unknown", |group| &group.status)
    }

    /// Its status for people, with how far the work on its storage is: `storage-initialization (35 %)`.
    pub fn status_text(&self) -> String {
        match &self.progress {
            Some(percent) => format!("{} ({percent} %)", self.status),
            None => self.status.clone(),
        }
    }

    /// Where a database of it listens, once it has an endpoint; with its storage as far as that grows by itself.
    pub fn server(&self, database: &str) -> Option<Server> {
        let endpoint = self.endpoint.as_ref()?;
        let storage_gib = self.storage_gib.max(self.grows_to_gib).and_then(|gib| u32::try_from(gib).ok());
        Some(Server { host: endpoint.host.clone(), port: endpoint.port, database: database.to_owned(), storage_gib })
    }

    pub(crate) fn of(found: DbInstance) -> Self {
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let known = |value: Option<&str>| value.unwrap_or("unknown").to_owned();
        let on = |value: Option<bool>| value.unwrap_or(false);
        Self {
            name: text(found.db_instance_identifier()),
            status: known(found.db_instance_status()),
            progress: progress(&found),
            engine: text(found.engine()),
            version: known(found.engine_version()),
            class: text(found.db_instance_class()),
            database: found.db_name.clone(),
            endpoint: endpoint(&found),
            tags: tags::read(found.tag_list()),
            parameter_group: found.db_parameter_groups().first().map(|group| AttachedGroup {
                name: text(group.db_parameter_group_name()),
                status: known(group.parameter_apply_status()),
            }),
            pending: found.pending_modified_values().map(Pending::of).unwrap_or_default(),
            created: found.instance_create_time().and_then(|at| at.to_millis().ok()),
            replica_of: found.read_replica_source_db_instance_identifier.clone(),
            cluster: found.db_cluster_identifier.clone(),
            replicas: found.read_replica_db_instance_identifiers().to_vec(),
            cluster_replicas: found.read_replica_db_cluster_identifiers().to_vec(),
            subnets: subnets(&found),
            security_groups: security_groups(&found),
            managed_secret: found.master_user_secret().and_then(|secret| secret.secret_arn.clone()),
            iam_authentication: on(found.iam_database_authentication_enabled),
            multi_az: on(found.multi_az),
            backup_days: found.backup_retention_period.unwrap_or(0),
            is_restorable: found.latest_restorable_time.is_some(),
            storage_gib: found.allocated_storage,
            grows_to_gib: found.max_allocated_storage,
            storage_key: found.kms_key_id.clone().filter(|_| on(found.storage_encrypted)),
            insights: Insights {
                enabled: on(found.performance_insights_enabled),
                key: found.performance_insights_kms_key_id.clone(),
                days: found.performance_insights_retention_period,
                mode: found.database_insights_mode().map(|mode| mode.as_str().to_owned()),
            },
            monitoring: Monitoring {
                interval: found.monitoring_interval.unwrap_or(0),
                role: found.monitoring_role_arn.clone(),
            },
            maintenance_window: found.preferred_maintenance_window.clone(),
            minor_upgrades: on(found.auto_minor_version_upgrade),
            deletion_protection: on(found.deletion_protection),
            roles: roles(&found),
            arn: found.db_instance_arn.clone(),
            described: Described(found),
        }
    }
}

fn progress(found: &DbInstance) -> Option<String> {
    let percent = found.storage_operation_percent_progress().map(|percent| percent.to_string());
    percent.or_else(|| found.percent_progress().map(|percent| percent.trim_end_matches('%').to_owned()))
}

fn endpoint(found: &DbInstance) -> Option<Endpoint> {
    let endpoint = found.endpoint()?;
    Some(Endpoint { host: endpoint.address()?.to_owned(), port: u16::try_from(endpoint.port()?).ok()? })
}

fn subnets(found: &DbInstance) -> Vec<Subnet> {
    let subnets = found.db_subnet_group().map(|group| group.subnets()).unwrap_or_default().iter();
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let subnets = subnets.map(|subnet| Subnet {
        id: text(subnet.subnet_identifier()),
        zone: text(subnet.subnet_availability_zone().and_then(|zone| zone.name())),
    });
    subnets.collect()
}

fn security_groups(found: &DbInstance) -> Vec<String> {
    found.vpc_security_groups().iter().filter_map(|group| group.vpc_security_group_id.clone()).collect()
}

fn roles(found: &DbInstance) -> Vec<Role> {
    let roles = found.associated_roles().iter();
    roles.filter_map(|role| Some(Role { arn: role.role_arn.clone()?, feature: role.feature_name.clone()? })).collect()
}

/// Name of the run's target; `start-run` fills it in.
pub fn target_name(run: &Run) -> StepResult<&str> {
    run.target.instance.as_deref().ok_or_else(|| StepError::bug("the run does not name its target"))
}

impl Rds {
    /// An instance, if there is one of that name.
    pub async fn instance(&self, name: &str) -> Result<Option<Instance>, AwsError> {
        let answer = self.client.describe_db_instances().db_instance_identifier(name).send().await;
        let found = answer.doing(format!("describe instance {name}")).optional()?;
        Ok(found.and_then(|found| found.db_instances.unwrap_or_default().into_iter().next()).map(Instance::of))
    }

    /// Names of all instances of the Region with this parameter group.
    pub async fn instances_with_group(&self, group: &str) -> Result<Vec<String>, AwsError> {
        let mut all = Vec::new();
        let mut pages = self.client.describe_db_instances().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.doing("describe all instances")?;
            let has = |instance: &&DbInstance| {
                instance.db_parameter_groups().iter().any(|has| has.db_parameter_group_name() == Some(group))
            };
            let names = page.db_instances().iter().filter(has).filter_map(|one| one.db_instance_identifier.clone());
            all.extend(names);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_rds::primitives::DateTime;
    use aws_sdk_rds::types::{DbInstanceRole, DbParameterGroupStatus, Endpoint as At, PendingModifiedValues};

    #[test]
    fn a_status_comes_with_its_progress() {
        let initializing = || DbInstance::builder().db_instance_status("storage-initialization");
        let cases = [
            (DbInstance::builder().build(), "unknown"),
            (DbInstance::builder().db_instance_status("available").build(), "available"),
            (initializing().build(), "storage-initialization"),
            (initializing().percent_progress("35").build(), "storage-initialization (35 %)"),
            (initializing().storage_operation_percent_progress(40).build(), "storage-initialization (40 %)"),
        ];
        for (instance, expected) in cases {
            assert_eq!(Instance::of(instance).status_text(), expected);
        }
    }

    #[test]
    fn what_steps_decide_by_is_read_from_the_description() {
        let group = DbParameterGroupStatus::builder().db_parameter_group_name("g").parameter_apply_status("in-sync");
        let role = |arn: &str| DbInstanceRole::builder().role_arn(arn).feature_name("s3Import").build();
        let found = DbInstance::builder()
            .db_instance_identifier("orders")
            .db_instance_arn("arn:orders")
            .engine_version("15.7")
            .db_parameter_groups(group.build())
            .endpoint(At::builder().address("orders.x").port(5432).build())
            .allocated_storage(100)
            .max_allocated_storage(1_000)
            .instance_create_time(DateTime::from_millis(1_234))
            .latest_restorable_time(DateTime::from_secs(1))
            .pending_modified_values(PendingModifiedValues::builder().multi_az(true).build())
            .associated_roles(role("a"))
            .kms_key_id("key")
            .storage_encrypted(true)
            .performance_insights_enabled(true)
            .database_insights_mode("advanced".into())
            .monitoring_interval(60)
            .deletion_protection(true)
            .tag_list(tags::tag("pgleap:run", "r"));

        let read = Instance::of(found.build());

        assert_eq!(
            (read.name.as_str(), read.version.as_str(), read.arn().expect("one")),
            ("orders", "15.7", "arn:orders")
        );
        assert_eq!((read.group_name(), read.parameters()), (Some("g"), "in-sync"));
        let server = read.server("shop").expect("an endpoint");
        assert_eq!((server.host.as_str(), server.port, server.storage_gib), ("orders.x", 5432, Some(1_000)));
        assert_eq!((read.created, read.is_restorable), (Some(1_234), true));
        assert!(read.pending.has_any(&["MultiAZ"]) && read.deletion_protection && !read.multi_az);
        assert_eq!(read.roles, [Role { arn: "a".to_owned(), feature: "s3Import".to_owned() }]);
        assert_eq!((read.storage_key.as_deref(), read.insights.mode.as_deref()), (Some("key"), Some("advanced")));
        assert_eq!((read.monitoring.interval, read.tags["pgleap:run"].as_str()), (60, "r"));
        assert!(Instance::default().arn().is_err() && Instance::default().server("shop").is_none());
    }
}
