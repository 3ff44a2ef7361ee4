//! What DMS offers in this Region.

use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::types::ReleaseStatusValues;
use pgleap_step_kit::prelude::*;

use super::{DmsVersion, Offer};

/// Engine versions with the classes in which each can be ordered, without previews.
pub(super) async fn offers(client: &Client) -> Result<Vec<Offer>, AwsError> {
    let mut all = Vec::new();
    let mut pages = client.describe_orderable_replication_instances().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.doing("describe orderable replication instances")?;
        all.extend(page.orderable_replication_instances().iter().filter_map(|offer| {
            let preview = offer.release_status() == Some(&ReleaseStatusValues::Beta);
            let version = DmsVersion::parse(offer.engine_version()?).filter(|_| !preview)?;
            Some(Offer { version, class: offer.replication_instance_class()?.to_owned() })
        }));
    }
    Ok(all)
}
