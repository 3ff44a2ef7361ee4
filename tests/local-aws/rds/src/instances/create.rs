//! CreateDBInstance.

use std::sync::Arc;
use std::time::Duration;

use local_aws_core::{ApiError, Call, Reply};
use serde_json::{Map, Value, json};

use super::attributes;
use super::jobs::JobFailed;
use crate::engine_versions::{self, EngineVersion};
use crate::names::{host_name, identifier, instance_arn, new_resource_id};
use crate::paging::one;
use crate::parameter_groups::{default_group, refuse_wrong_family};
use crate::quotas::Quota;
use crate::service::Shared;
use crate::state::{AttachedGroup, Instance, Origin, Status};
use crate::{classes, delays, errors, roles, tags};

/// Least GiB of a volume for general purpose, and for provisioned IOPS.
const LEAST_STORAGE: (i64, i64) = (20, 100);
const RESERVED_NAMES: [&str; 4] = ["admin", "postgresql", "rdsadmin", "rds_superuser"];

/// What a new instance is made of, however it is made.
pub(crate) struct NewInstance {
    pub(crate) identifier: String,
    pub(crate) version: &'static EngineVersion,
    pub(crate) class: String,
    pub(crate) master_username: String,
    pub(crate) group: String,
    pub(crate) attributes: Map<String, Value>,
    pub(crate) tags: tags::Tags,
    pub(crate) origin: Option<Origin>,
}

impl Shared {
    pub(crate) async fn create_instance(self: &Arc<Self>, call: &Call) -> Reply {
        let engine = call.required("Engine")?;
        if engine != "postgres" {
            return Err(errors::value(format!("Invalid DB engine: {engine}")));
        }
        let version = engine_versions::resolve(call.str("EngineVersion"), &self.around.servers.majors())?;
        let class = call.required("DBInstanceClass")?;
        classes::orderable(class, version)?;
        let master_username = master_username(call)?;
        let mut attributes = attributes::defaults(version.major);
        attributes::take_over(&mut attributes, call);
        refuse_storage(call)?;
        let group = self.group_for(call, version)?;
        let identifier = identifier("DBInstanceIdentifier", call.required("DBInstanceIdentifier")?, 63)?;
        if self.state().instances.contains_key(&identifier) {
            return Err(errors::instance_exists());
        }
        let password = self.master_password(call, &identifier, &master_username, &mut attributes)?;

        let new = NewInstance {
            identifier,
            version,
            class: class.to_owned(),
            master_username,
            group,
            attributes,
            tags: tags::requested(call, "db"),
            origin: None,
        };
        let resource_id = self.add_instance(new)?;
        let (rds, id, database) = (self.clone(), resource_id.clone(), call.str("DBName").map(str::to_owned));
        self.spawn_job(
            &resource_id,
            "create",
            async move { rds.create_job(&id, &password, database.as_deref()).await },
        );
        let state = self.state();
        let instance = state.instances.values().find(|instance| instance.resource_id == resource_id);
        one("DBInstance", instance.map_or(Value::Null, |instance| self.instance_json(&state, instance)))
    }

    /// Remember a new instance in status `creating`; the answer is its resource id.
    pub(crate) fn add_instance(self: &Arc<Self>, new: NewInstance) -> Result<String, ApiError> {
        let address = self.around.servers.addresses().take(self.around.port).map_err(ApiError::internal)?;
        let host_name = host_name(&new.identifier);
        let certificate = self.around.authority.issue(&host_name).map_err(ApiError::internal)?;
        let resource_id = new_resource_id();
        let instance = Instance {
            identifier: new.identifier.clone(),
            resource_id: resource_id.clone(),
            status: Status::Creating,
            version: new.version,
            class: new.class,
            master_username: new.master_username,
            created_at: self.now(),
            host_name,
            address,
            outlet: self.open_outlet(&resource_id)?,
            is_cut_off: false,
            certificate,
            group: AttachedGroup::in_sync(new.group),
            running: Default::default(),
            attributes: new.attributes,
            pending: Map::new(),
            cluster: None,
            logs: Vec::new(),
            planned_faults: Vec::new(),
            copy_faults: Vec::new(),
            maintenance: Vec::new(),
            backed_up_at: None,
            replicas: Vec::new(),
            origin: new.origin,
            busy: Arc::default(),
        };
        let mut state = self.state();
        if state.instances.contains_key(&new.identifier) {
            return Err(errors::instance_exists());
        }
        state.refuse_beyond(Quota::Instances, 1)?;
        state.refuse_beyond(Quota::Storage, instance.number("AllocatedStorage"))?;
        state.tags.insert(instance_arn(&new.identifier), new.tags);
        state.instances.insert(new.identifier, instance);
        Ok(resource_id)
    }

    /// The group that the request names, or the family's default.
    pub(crate) fn group_for(&self, call: &Call, version: &EngineVersion) -> Result<String, ApiError> {
        let name = call.str("DBParameterGroupName").map_or_else(|| default_group(version.major), str::to_owned);
        let group = self.state().group(&name)?;
        refuse_wrong_family(&group, version)?;
        Ok(group.name)
    }

    /// The password of the request, or one that RDS makes and keeps.
    fn master_password(
        &self,
        call: &Call,
        identifier: &str,
        username: &str,
        attributes: &mut Map<String, Value>,
    ) -> Result<String, ApiError> {
        match (call.flag("ManageMasterUserPassword"), call.str("MasterUserPassword")) {
            (true, Some(_)) => Err(errors::combination(
                "You can't specify MasterUserPassword for an instance whose password is managed by RDS.",
            )),
            (true, None) => {
                let (password, secret) = self.manage_password(identifier, username)?;
                attributes.insert("MasterUserSecret".to_owned(), secret);
                Ok(password)
            }
            (false, Some(password)) => refuse_password(password).map(|()| password.to_owned()),
            (false, None) => {
                Err(errors::value("The parameter MasterUserPassword must be provided and must not be blank."))
            }
        }
    }

    /// Make a password and keep it as a secret; the second part is `MasterUserSecret`.
    pub(crate) fn manage_password(&self, identifier: &str, username: &str) -> Result<(String, Value), ApiError> {
        let Some(secrets) = &self.around.secrets else {
            return Err(ApiError::not_implemented("ManageMasterUserPassword"));
        };
        let password: String = (0..28).map(|_| fastrand::alphanumeric()).collect();
        let name = format!("rds!db-{}", uuid::Uuid::new_v4());
        let arn = secrets.keep(&name, &json!({ "username": username, "password": password }).to_string())?;
        tracing::debug!(identifier, arn, "a master password is managed");
        let key = "arn:aws:kms:eu-west-1:111122223333:key/aws-secretsmanager";
        Ok((password, json!({ "SecretArn": arn, "SecretStatus": "active", "KmsKeyId": key })))
    }

    async fn create_job(
        self: &Arc<Self>,
        resource_id: &str,
        password: &str,
        database: Option<&str>,
    ) -> Result<(), JobFailed> {
        let work = self.make_server(resource_id, password, database);
        let ((), made) = tokio::join!(self.pause(delays::CREATING), work);
        self.put_in_service(resource_id, made?);
        let Some((identifier, retention)) = self.with_instance(resource_id, |instance| {
            (instance.identifier.clone(), instance.number("BackupRetentionPeriod"))
        }) else {
            return Ok(());
        };
        self.tell_instance(&identifier, 5, "DB instance created");
        if retention > 0 {
            self.back_up(resource_id, &identifier, delays::BACKING_UP).await;
        }
        self.set_status(resource_id, Status::Available);
        Ok(())
    }

    async fn make_server(
        self: &Arc<Self>,
        resource_id: &str,
        password: &str,
        database: Option<&str>,
    ) -> Result<Arc<local_aws_postgres::Cluster>, JobFailed> {
        let about = self.with_instance(resource_id, |instance| {
            (instance.version.major, instance.cluster_name(), instance.master_username.clone())
        });
        let (major, name, master) = about.ok_or_else(|| anyhow::anyhow!("the instance is gone"))?;
        let cluster = Arc::new(self.around.servers.create_cluster(major, &name).await?);
        self.start_with_group(resource_id, &cluster).await?;
        roles::set_up(&cluster, &master, password, database).await?;
        Ok(cluster)
    }

    /// The status of an automated backup. None is kept: nothing restores from automated snapshots here.
    pub(crate) async fn back_up(&self, resource_id: &str, identifier: &str, nominal: Duration) {
        self.set_status(resource_id, Status::BackingUp);
        self.tell_instance(identifier, 1, "Backing up DB instance");
        self.pause(nominal).await;
        self.with_instance(resource_id, |instance| instance.backed_up_at = Some(self.now()));
        self.tell_instance(identifier, 2, "Finished DB Instance backup");
    }
}

fn master_username(call: &Call) -> Result<String, ApiError> {
    let name = call.str("MasterUsername").unwrap_or_default();
    let well_formed = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.len() <= 63
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if RESERVED_NAMES.contains(&name) || name.starts_with("pg_") {
        let text = format!("MasterUsername {name} cannot be used as it is a reserved word used by the engine");
        return Err(errors::value(text));
    }
    match well_formed {
        true => Ok(name.to_owned()),
        false => Err(errors::value("The parameter MasterUsername must be provided and must not be blank.")),
    }
}

/// RDS's rules for a master password.
pub(crate) fn refuse_password(password: &str) -> Result<(), ApiError> {
    if password.len() < 8 {
        return Err(errors::value(
            "The parameter MasterUserPassword is not a valid password because it is shorter than 8 characters.",
        ));
    }
    if password.contains(['/', '@', '"', ' ']) {
        return Err(errors::value(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', \
             '\"', ' ' may be used.",
        ));
    }
    Ok(())
}

fn refuse_storage(call: &Call) -> Result<(), ApiError> {
    let storage_type = call.str("StorageType").unwrap_or("gp2");
    let least = if storage_type.starts_with("io") { LEAST_STORAGE.1 } else { LEAST_STORAGE.0 };
    match call.int("AllocatedStorage") {
        None => Err(errors::combination("The parameter AllocatedStorage must be provided and must not be blank.")),
        Some(size) if size < least => Err(errors::combination(format!(
            "Invalid storage size for engine name postgres and storage type {storage_type}: {size}"
        ))),
        Some(size) => match call.int("MaxAllocatedStorage") {
            Some(limit) => super::modify::refuse_limit(limit, size, false),
            None => Ok(()),
        },
    }
}
