//! What there is: every object of the local AWS that a run could make, and in the source what no reading of a schema
//! shows. Read before a run and after it, it shows what the run left behind, and what it took away.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use tokio_postgres::Client;

use crate::observer::connect;
use crate::stage::{SOURCE, Stage};

/// Everything, a line each, kind and name first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    things: BTreeSet<String>,
    /// Parameter groups that an instance uses: the run's own stays attached, because to take it away costs a restart.
    groups_in_use: BTreeSet<String>,
}

/// How the account and the source differ from how they were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// There now, and not before.
    pub left: Vec<String>,
    /// There before, and not now.
    pub gone: Vec<String>,
}

impl Inventory {
    /// Read it, as the operator and as the source's superuser.
    pub async fn read(stage: &Stage, zone_id: &str) -> Result<Self> {
        let mut inventory = Self::default();
        inventory.read_rds(stage).await.context("list what RDS has")?;
        inventory.read_dms(stage).await.context("list what DMS has")?;
        inventory.read_records(stage, zone_id).await.context("list the zone's records")?;
        inventory.read_secrets(stage).await.context("list secrets")?;
        inventory.add_all("schedule", stage.aws().scheduler().names());
        inventory.add_all("inbound rule", stage.aws().ground().rules().into_iter().map(|rule| rule.id));
        let source = connect(&stage.access(SOURCE)).await?;
        inventory.read_database(&source).await.context("list what the source has")?;
        Ok(inventory)
    }

    /// How a run that went back left everything, but for parameter groups that an instance uses now.
    pub fn after_way_back(&self, after: &Inventory) -> Difference {
        let is_in_use = |thing: &&String| after.groups_in_use.contains(*thing);
        Difference {
            left: after.things.difference(&self.things).filter(|thing| !is_in_use(thing)).cloned().collect(),
            gone: self.things.difference(&after.things).cloned().collect(),
        }
    }

    /// How a run that came to its end left everything, but for the target and the record, which leads to it.
    pub fn after_upgrade(&self, after: &Inventory, target: &str) -> Difference {
        let mut difference = self.after_way_back(after);
        let target = format!("DB instance {target}");
        difference.left.retain(|thing| *thing != target && !thing.starts_with("record "));
        difference.gone.retain(|thing| !thing.starts_with("record "));
        difference
    }

    fn add(&mut self, kind: &str, name: &str) {
        self.things.insert(format!("{kind} {name}"));
    }

    fn add_all(&mut self, kind: &str, names: impl IntoIterator<Item = String>) {
        names.into_iter().for_each(|name| self.add(kind, &name));
    }

    async fn read_rds(&mut self, stage: &Stage) -> Result<()> {
        let rds = aws_sdk_rds::Client::new(stage.sdk());
        for instance in rds.describe_db_instances().send().await?.db_instances() {
            self.add("DB instance", instance.db_instance_identifier().unwrap_or_default());
            let groups = instance.db_parameter_groups().iter().filter_map(|group| group.db_parameter_group_name());
            self.groups_in_use.extend(groups.map(parameter_group));
        }
        for snapshot in rds.describe_db_snapshots().send().await?.db_snapshots() {
            self.add("DB snapshot", snapshot.db_snapshot_identifier().unwrap_or_default());
        }
        for group in rds.describe_db_parameter_groups().send().await?.db_parameter_groups() {
            let name = group.db_parameter_group_name().unwrap_or_default();
            // RDS makes a default group for a family when it is first used, and keeps it.
            if !name.starts_with("default.") {
                self.things.insert(parameter_group(name));
            }
        }
        Ok(())
    }

    async fn read_dms(&mut self, stage: &Stage) -> Result<()> {
        let dms = aws_sdk_databasemigration::Client::new(stage.sdk());
        let instances = dms.describe_replication_instances().send().await?.replication_instances.unwrap_or_default();
        self.add_all(
            "replication instance",
            instances.into_iter().filter_map(|one| one.replication_instance_identifier),
        );
        let endpoints = dms.describe_endpoints().send().await?.endpoints.unwrap_or_default();
        self.add_all("endpoint", endpoints.into_iter().filter_map(|one| one.endpoint_identifier));
        let tasks = dms.describe_replication_tasks().send().await?.replication_tasks.unwrap_or_default();
        self.add_all("replication task", tasks.into_iter().filter_map(|one| one.replication_task_identifier));
        let groups =
            dms.describe_replication_subnet_groups().send().await?.replication_subnet_groups.unwrap_or_default();
        let groups = groups.into_iter().filter_map(|one| one.replication_subnet_group_identifier);
        self.add_all("replication subnet group", groups);
        let tests = dms.describe_connections().send().await?.connections.unwrap_or_default();
        self.add_all("connection test", tests.into_iter().filter_map(|one| one.endpoint_identifier));
        Ok(())
    }

    /// With values and TTL: a record that was put back is the one that it was.
    async fn read_records(&mut self, stage: &Stage, zone_id: &str) -> Result<()> {
        let route53 = aws_sdk_route53::Client::new(stage.sdk());
        let answer = route53.list_resource_record_sets().hosted_zone_id(zone_id).send().await?;
        for set in answer.resource_record_sets() {
            let values: Vec<_> = set.resource_records().iter().map(|record| record.value()).collect();
            let ttl = set.ttl().unwrap_or_default();
            self.add("record", &format!("{} {} {ttl} {}", set.name(), set.r#type(), values.join(" ")));
        }
        Ok(())
    }

    async fn read_secrets(&mut self, stage: &Stage) -> Result<()> {
        let secrets = aws_sdk_secretsmanager::Client::new(stage.sdk());
        let mut pages = secrets.list_secrets().into_paginator().send();
        while let Some(page) = pages.next().await {
            self.add_all("secret", page?.secret_list.unwrap_or_default().into_iter().filter_map(|one| one.name));
        }
        Ok(())
    }

    async fn read_database(&mut self, source: &Client) -> Result<()> {
        for row in source.query(include_str!("inventory.sql"), &[]).await? {
            self.add(row.get(0), row.get(1));
        }
        Ok(())
    }
}

fn parameter_group(name: &str) -> String {
    format!("DB parameter group {name}")
}

impl Difference {
    /// In words; empty if there is none.
    pub fn words(&self) -> Vec<String> {
        let left = self.left.iter().map(|thing| format!("the run left {thing}"));
        left.chain(self.gone.iter().map(|thing| format!("the run took away {thing}"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(group: &str, things: &[&str]) -> Inventory {
        let things = things.iter().map(|thing| (*thing).to_owned()).collect();
        Inventory { things, groups_in_use: [parameter_group(group)].into() }
    }

    #[test]
    fn what_was_left_and_what_was_taken_away_is_named_and_groups_in_use_may_stay() {
        let before = inventory("users", &["DB instance shop-db", "DB parameter group users", "role app"]);
        let after = inventory(
            "runs",
            &["DB instance shop-db", "DB parameter group users", "DB parameter group runs", "secret pgleap-r-dms"],
        );

        let words = before.after_way_back(&after).words();

        assert_eq!(words, ["the run left secret pgleap-r-dms", "the run took away role app"]);
        assert_eq!(before.after_way_back(&before), Difference::default());
    }

    #[test]
    fn after_an_upgrade_the_target_stays_and_the_record_leads_to_it() {
        let before = inventory("users", &["DB instance shop-db", "record db CNAME 60 shop-db"]);
        let after =
            inventory("users", &["DB instance shop-db", "DB instance shop-db-v18", "record db CNAME 60 shop-db-v18"]);

        assert_eq!(before.after_upgrade(&after, "shop-db-v18"), Difference::default());
        assert_eq!(before.after_way_back(&after).words().len(), 3);
    }
}
