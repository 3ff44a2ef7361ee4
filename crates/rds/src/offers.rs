//! What RDS offers, plans and allows: versions, classes, maintenance, quotas.

use pgleap_step_kit::Quota;
use pgleap_step_kit::aws::{AwsError, Doing, Optional};

use crate::Rds;

/// A version of the engine that RDS knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineVersion {
    /// `18.4`, or `12.22-rds.20250508` under Extended Support.
    pub text: String,
    /// Family of its parameter groups: `postgres18`.
    pub family: String,
    /// It can be ordered.
    pub available: bool,
    /// Versions to which it can be upgraded.
    pub targets: Vec<String>,
}

/// An action of maintenance that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maintenance {
    /// `system-update`, `db-upgrade`, ..
    pub action: String,
    /// When it is carried out whether somebody wants it or not, as AWS says it; absent: only if somebody asks.
    pub at: Option<String>,
}

impl Rds {
    /// Every version, the ones that cannot be ordered any more too: the source may run one of them.
    pub async fn versions(&self) -> Result<Vec<EngineVersion>, AwsError> {
        let mut all = Vec::new();
        let request = self.client.describe_db_engine_versions().engine("postgres").include_all(true);
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.doing("describe engine versions of postgres")?;
            all.extend(page.db_engine_versions().iter().map(|version| {
                EngineVersion {
                    text: version.engine_version().unwrap_or_default().to_owned(),
                    family: version.db_parameter_group_family().unwrap_or_default().to_owned(),
                    available: version.status().is_none_or(|status| status == "available"),
                    targets: version
                        .valid_upgrade_target()
                        .iter()
                        .filter(|target| target.engine().is_none_or(|engine| engine == "postgres"))
                        .filter_map(|target| target.engine_version().map(str::to_owned))
                        .collect(),
                }
            }));
        }
        Ok(all)
    }

    /// Whether a class can be ordered with a version.
    pub async fn is_orderable(&self, class: &str, version: &str) -> Result<bool, AwsError> {
        let request = self.client.describe_orderable_db_instance_options().engine("postgres").engine_version(version);
        let answer = request.db_instance_class(class).send().await;
        let options = answer.doing(format!("describe orderable options of {class} with postgres {version}"))?;
        Ok(!options.orderable_db_instance_options().is_empty())
    }

    /// Maintenance that waits for the instance of this ARN.
    pub async fn maintenance(&self, arn: &str) -> Result<Vec<Maintenance>, AwsError> {
        let answer = self.client.describe_pending_maintenance_actions().resource_identifier(arn).send().await;
        let answer = answer.doing(format!("describe pending maintenance of {arn}")).optional()?;
        let resources = answer.and_then(|answer| answer.pending_maintenance_actions).unwrap_or_default();
        let actions = resources.iter().flat_map(|resource| resource.pending_maintenance_action_details());
        let actions = actions.map(|action| Maintenance {
            action: action.action().unwrap_or("unnamed").to_owned(),
            at: action
                .current_apply_date()
                .or(action.forced_apply_date())
                .or(action.auto_applied_after_date())
                .map(ToString::to_string),
        });
        Ok(actions.collect())
    }

    /// The account's quotas of RDS.
    pub async fn quotas(&self) -> Result<Vec<Quota>, AwsError> {
        let answer = self.client.describe_account_attributes().send().await;
        let quotas = answer.doing("describe account attributes of RDS")?.account_quotas.unwrap_or_default();
        let named = quotas
            .into_iter()
            .filter_map(|quota| Some(Quota { name: quota.account_quota_name?, used: quota.used?, max: quota.max? }));
        Ok(named.collect())
    }
}
