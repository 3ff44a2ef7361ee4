//! What there is: every object of the local AWS that a run could make, and in the source what no reading of a schema
//! shows. Read before a run and after it, it shows what the run left behind, and what it took away.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Context, Result};
use tokio_postgres::Client;

use crate::observer::connect;
use crate::stage::{SOURCE, Stage};

/// Everything, a line each, kind and name first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    things: BTreeSet<String>,
    /// The zone's record sets, by name and type.
    records: BTreeMap<String, Record>,
    /// Parameter groups that an instance uses: the run's own stays attached, because to take it away costs a restart.
    groups_in_use: BTreeSet<String>,
}

/// What a record set answers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    ttl: i64,
    values: Vec<String>,
}

/// The side that clients must be led to once the run has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serving<'a> {
    /// The source, as before the run.
    Source,
    /// The source again: everybody has returned to it, and the target is kept until its owner deletes it.
    SourceAgain {
        /// The target's identifier.
        target: &'a str,
    },
    /// The target.
    Target {
        /// Its identifier.
        instance: &'a str,
        /// The source's endpoint, which records named before the run.
        source_host: &'a str,
        /// Its own, which they must name now.
        target_host: &'a str,
    },
}

/// How the account and the source differ from how they were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// There now, and not before.
    pub left: Vec<String>,
    /// There before, and not now.
    pub gone: Vec<String>,
    /// Records that do not lead clients to the side that serves, or have another TTL than before, in words.
    pub records: Vec<String>,
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

    /// Whether there is a parameter group that a run created for its source.
    pub fn has_source_group(&self) -> bool {
        self.things.iter().any(|thing| thing.starts_with(&parameter_group("pgleap-")) && thing.ends_with("-source"))
    }

    /// How a run left everything: as it was, but for parameter groups that an instance uses now, the target where it
    /// serves, and the records that must lead to it.
    pub fn difference(&self, after: &Inventory, serving: Serving<'_>) -> Difference {
        let target = match serving {
            Serving::Source => None,
            Serving::SourceAgain { target: instance } | Serving::Target { instance, .. } => Some(db_instance(instance)),
        };
        let may_stay = |thing: &&String| after.groups_in_use.contains(*thing) || target.as_ref() == Some(*thing);
        Difference {
            left: after.things.difference(&self.things).filter(|thing| !may_stay(thing)).cloned().collect(),
            gone: self.things.difference(&after.things).cloned().collect(),
            records: self.wrong_records(after, serving),
        }
    }

    /// Records that do not lead clients where they must: each with its TTL and values as they were, but for the host.
    fn wrong_records(&self, after: &Inventory, serving: Serving<'_>) -> Vec<String> {
        let names: BTreeSet<_> = self.records.keys().chain(after.records.keys()).collect();
        let wrong = names.into_iter().filter_map(|name| {
            let wanted = self.records.get(name).map(|record| record.leading_to(serving));
            let found = after.records.get(name);
            let text = |record: Option<&Record>| record.map_or_else(|| "absent".to_owned(), Record::to_string);
            (wanted.as_ref() != found)
                .then(|| format!("record {name} is {}, but must be {}", text(found), text(wanted.as_ref())))
        });
        wrong.collect()
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
            self.things.insert(db_instance(instance.db_instance_identifier().unwrap_or_default()));
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
            let values = set.resource_records().iter().map(|record| record.value().to_owned()).collect();
            let record = Record { ttl: set.ttl().unwrap_or_default(), values };
            self.records.insert(format!("{} {}", set.name(), set.r#type()), record);
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

impl Record {
    /// As it is, with the target's endpoint in place of the source's where the target serves.
    fn leading_to(&self, serving: Serving<'_>) -> Self {
        let lead = |value: &String| match serving {
            Serving::Target { source_host, target_host, .. } if same_host(value, source_host) => target_host.to_owned(),
            _ => value.clone(),
        };
        Self { ttl: self.ttl, values: self.values.iter().map(lead).collect() }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with a TTL of {} s", self.values.join(" "), self.ttl)
    }
}

/// DNS knows neither case nor the trailing dot.
fn same_host(one: &str, other: &str) -> bool {
    one.trim_end_matches('.').eq_ignore_ascii_case(other.trim_end_matches('.'))
}

fn db_instance(name: &str) -> String {
    format!("DB instance {name}")
}

fn parameter_group(name: &str) -> String {
    format!("DB parameter group {name}")
}

impl Difference {
    /// In words; empty if there is none.
    pub fn words(&self) -> Vec<String> {
        let left = self.left.iter().map(|thing| format!("the run left behind {thing}"));
        let gone = self.gone.iter().map(|thing| format!("the run deleted {thing}"));
        left.chain(gone).chain(self.records.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE_HOST: &str = "shop-db.x.rds.amazonaws.com";
    const TARGET_HOST: &str = "shop-db-v18.x.rds.amazonaws.com";
    const TARGET: Serving<'_> =
        Serving::Target { instance: "shop-db-v18", source_host: SOURCE_HOST, target_host: TARGET_HOST };

    fn inventory(group: &str, things: &[&str]) -> Inventory {
        let things = things.iter().map(|thing| (*thing).to_owned()).collect();
        Inventory { things, records: BTreeMap::new(), groups_in_use: [parameter_group(group)].into() }
    }

    fn with_record(host: &str, ttl: i64) -> Inventory {
        let record = Record { ttl, values: vec![host.to_owned()] };
        Inventory { records: [("db.example.internal. CNAME".to_owned(), record)].into(), ..inventory("users", &[]) }
    }

    #[test]
    fn what_was_left_and_what_was_taken_away_is_named_and_groups_in_use_may_stay() {
        let before = inventory("users", &["DB instance shop-db", "DB parameter group users", "role app"]);
        let after = inventory(
            "runs",
            &["DB instance shop-db", "DB parameter group users", "DB parameter group runs", "secret pgleap-r-dms"],
        );

        let words = before.difference(&after, Serving::Source).words();

        assert_eq!(words, ["the run left behind secret pgleap-r-dms", "the run deleted role app"]);
        assert_eq!(before.difference(&before, Serving::Source), Difference::default());
    }

    #[test]
    fn the_target_stays_only_where_it_serves() {
        let before = inventory("users", &["DB instance shop-db"]);
        let after = inventory("users", &["DB instance shop-db", "DB instance shop-db-v18"]);

        assert_eq!(before.difference(&after, TARGET), Difference::default());
        let again = Serving::SourceAgain { target: "shop-db-v18" };
        assert_eq!(before.difference(&after, again), Difference::default());
        let words = before.difference(&after, Serving::Source).words();
        assert_eq!(words, ["the run left behind DB instance shop-db-v18"]);
    }

    #[test]
    fn a_record_on_the_wrong_side_or_with_another_ttl_is_seen_whichever_side_serves() {
        let before = with_record(SOURCE_HOST, 5);
        let cases = [
            (Serving::Source, SOURCE_HOST, 5, true),
            (Serving::Source, TARGET_HOST, 5, false),
            (Serving::Source, SOURCE_HOST, 1, false),
            (TARGET, TARGET_HOST, 5, true),
            (TARGET, SOURCE_HOST, 5, false),
            (TARGET, TARGET_HOST, 1, false),
            (TARGET, "elsewhere.example.com", 5, false),
        ];
        for (serving, host, ttl, right) in cases {
            let words = before.difference(&with_record(host, ttl), serving).words();

            assert_eq!(words.is_empty(), right, "{serving:?}, {host} {ttl}: {words:?}");
        }
        let gone = before.difference(&inventory("users", &[]), TARGET).words();
        assert_eq!(
            gone,
            [format!("record db.example.internal. CNAME is absent, but must be {TARGET_HOST} with a TTL of 5 s")]
        );
    }
}
