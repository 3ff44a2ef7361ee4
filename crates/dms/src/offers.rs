//! What DMS offers in this Region, and how much of it an account may have.

use aws_sdk_databasemigration::types::ReleaseStatusValues;
use pgleap_step_kit::Quota;
use pgleap_step_kit::aws::{AwsError, Doing};

use crate::Dms;

/// An engine version in a class that can be ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Of DMS: `3.6.1`, ..; none if DMS does not say.
    pub engine_version: Option<String>,
    /// `dms.t3.medium`, ..
    pub class: String,
    /// The version is not released yet.
    pub is_preview: bool,
}

impl Dms {
    /// Everything that can be ordered, previews included.
    pub async fn offers(&self) -> Result<Vec<Offer>, AwsError> {
        let mut all = Vec::new();
        let mut pages = self.client.describe_orderable_replication_instances().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.doing("describe orderable replication instances")?;
            let offered = page.orderable_replication_instances.unwrap_or_default().into_iter();
            all.extend(offered.filter_map(|offer| {
                Some(Offer {
                    is_preview: offer.release_status == Some(ReleaseStatusValues::Beta),
                    engine_version: offer.engine_version,
                    class: offer.replication_instance_class?,
                })
            }));
        }
        Ok(all)
    }

    /// The classes that the Region offers with this engine version.
    pub async fn offered_classes(&self, engine_version: &str) -> Result<Vec<String>, AwsError> {
        let fits = |offer: &Offer| offer.engine_version.as_deref().is_none_or(|version| version == engine_version);
        let offered = self.offers().await?.into_iter().filter(fits);
        let mut classes: Vec<String> = offered.map(|offer| offer.class).collect();
        classes.sort();
        classes.dedup();
        Ok(classes)
    }

    /// The account's quotas of DMS.
    pub async fn quotas(&self) -> Result<Vec<Quota>, AwsError> {
        let answer = self.client.describe_account_attributes().send().await;
        let quotas = answer.doing("describe account attributes of DMS")?.account_quotas.unwrap_or_default();
        let named = quotas
            .into_iter()
            .filter_map(|quota| Some(Quota { name: quota.account_quota_name?, used: quota.used, max: quota.max }));
        Ok(named.collect())
    }
}
