//! What is made in DMS: an instance, two endpoints, a task.

use anyhow::{Context, Result, bail};
use aws_sdk_databasemigration::Client as Dms;
use aws_sdk_databasemigration::types::{
    DmsSslModeValue, Filter, MigrationTypeValue, PluginNameValue, PostgreSqlSettings, ReplicationEndpointTypeValue,
    ReplicationTask, StartReplicationTaskTypeValue,
};
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::compare::by_hand::{COPY, poll};
use crate::compare::scene::Scene;
use crate::stage::{DATABASE, master_login};

const NAME: &str = "shop-by-hand";
/// DMS's default is older and knows no target of the newest major.
const ENGINE: &str = "3.6.1";
/// Largest value in KB, beyond which DMS would cut it: the user guide's advice is to measure the largest and to set that.
const LARGEST_VALUE: u32 = 10_240;

/// A task that runs.
pub(super) struct Replication {
    dms: Dms,
    instance: String,
    endpoints: [String; 2],
    task: String,
}

impl Replication {
    /// Make everything, test the connections, start the task.
    pub(super) async fn start(scene: &Scene, target: &Client) -> Result<Self> {
        let dms = Dms::new(scene.stage.sdk());
        let instance = create_instance(&dms).await?;
        let (from, to) = (scene.source.host.clone(), scene.host_of(COPY).await?);
        let endpoints = [
            create_endpoint(&dms, scene, ReplicationEndpointTypeValue::Source, &from).await?,
            create_endpoint(&dms, scene, ReplicationEndpointTypeValue::Target, &to).await?,
        ];
        for endpoint in &endpoints {
            test(&dms, &instance, endpoint).await?;
        }
        let task = create_task(&dms, &instance, &endpoints, &mapping(target).await?).await?;
        let all = Self { dms, instance, endpoints, task };
        all.await_status("ready").await?;
        let start = all.dms.start_replication_task().replication_task_arn(&all.task);
        let start = start.start_replication_task_type(StartReplicationTaskTypeValue::StartReplication);
        start.send().await.context("start the task")?;
        Ok(all)
    }

    async fn look(&self) -> Result<Option<ReplicationTask>> {
        let filter = Filter::builder().name("replication-task-arn").values(&self.task).build()?;
        match self.dms.describe_replication_tasks().filters(filter).send().await {
            Ok(page) => Ok(page.replication_tasks().first().cloned()),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_fault()) => Ok(None),
            Err(error) => Err(error).context("describe the task"),
        }
    }

    async fn await_status(&self, status: &str) -> Result<()> {
        poll("the task", async || {
            let task = self.look().await?.context("the task is gone")?;
            match task.status() {
                Some("failed") => bail!("the task failed: {}", task.last_failure_message().unwrap_or_default()),
                now => Ok(now == Some(status)),
            }
        })
        .await
    }

    /// Until every table is loaded; one that is in error ends the attempt, because a person would begin anew.
    pub(super) async fn await_loaded(&self) -> Result<()> {
        self.await_status("running").await?;
        poll("the load", async || {
            let task = self.look().await?.context("the task is gone")?;
            let Some(stats) = task.replication_task_stats() else { return Ok(false) };
            if stats.tables_errored > 0 {
                bail!("{} tables are in error: {}", stats.tables_errored, self.failed_tables().await?);
            }
            Ok(stats.full_load_finish_date.is_some() && stats.tables_loading + stats.tables_queued == 0)
        })
        .await
    }

    async fn failed_tables(&self) -> Result<String> {
        let page = self.dms.describe_table_statistics().replication_task_arn(&self.task).send().await;
        let page = page.context("describe the tables")?;
        let failed = page.table_statistics().iter().filter(|table| table.table_state() == Some("Table error"));
        Ok(failed.filter_map(|table| table.table_name()).collect::<Vec<_>>().join(", "))
    }

    /// Stop the task.
    pub(super) async fn stop(&self) -> Result<()> {
        let stop = self.dms.stop_replication_task().replication_task_arn(&self.task);
        stop.send().await.context("stop the task")?;
        self.await_status("stopped").await
    }

    /// Delete everything.
    pub(super) async fn delete(&self) -> Result<()> {
        let delete = self.dms.delete_replication_task().replication_task_arn(&self.task);
        delete.send().await.context("delete the task")?;
        poll("the task's end", async || Ok(self.look().await?.is_none())).await?;
        for endpoint in &self.endpoints {
            self.dms.delete_endpoint().endpoint_arn(endpoint).send().await.context("delete an endpoint")?;
        }
        let delete = self.dms.delete_replication_instance().replication_instance_arn(&self.instance);
        delete.send().await.context("delete the replication instance").map(|_deleting| ())
    }
}

async fn create_instance(dms: &Dms) -> Result<String> {
    let create = dms.create_replication_instance().replication_instance_identifier(NAME);
    let create = create.replication_instance_class("dms.r6i.large").allocated_storage(100).engine_version(ENGINE);
    create.send().await.context("create the replication instance")?;
    let filter = Filter::builder().name("replication-instance-id").values(NAME).build()?;
    let look = async || {
        let page = dms.describe_replication_instances().filters(filter.clone()).send().await;
        let page = page.context("describe the replication instance")?;
        let found =
            page.replication_instances().iter().find(|one| one.replication_instance_status() == Some("available"));
        Ok::<_, anyhow::Error>(found.and_then(|one| one.replication_instance_arn().map(str::to_owned)))
    };
    poll("the replication instance", async || Ok(look().await?.is_some())).await?;
    look().await?.context("the replication instance is gone")
}

/// The settings that the user guide's page on PostgreSQL recommends for exact values.
async fn create_endpoint(dms: &Dms, scene: &Scene, side: ReplicationEndpointTypeValue, host: &str) -> Result<String> {
    let is_target = side == ReplicationEndpointTypeValue::Target;
    let settings = PostgreSqlSettings::builder().map_boolean_as_boolean(true);
    let settings = if is_target {
        settings.after_connect_script("SET session_replication_role='replica'")
    } else {
        settings.plugin_name(PluginNameValue::TestDecoding).capture_ddls(false).trim_space_in_char(false)
    };
    let attributes = if is_target { "" } else { ";unboundedVarcharMaxSize=32000" };
    let login = master_login();
    let create = dms
        .create_endpoint()
        .endpoint_identifier(format!("{NAME}-{}", if is_target { "target" } else { "source" }))
        .endpoint_type(side)
        .engine_name("postgres")
        .server_name(host)
        .port(scene.source.port.into())
        .username(login.user)
        .password(login.password)
        .database_name(DATABASE)
        .ssl_mode(DmsSslModeValue::Require)
        .extra_connection_attributes(format!("MapUnboundedNumericAsString=true{attributes}"))
        .postgre_sql_settings(settings.build());
    let made = create.send().await.with_context(|| format!("create the endpoint of {host}"))?;
    Ok(made.endpoint().and_then(|made| made.endpoint_arn()).context("the endpoint has no ARN")?.to_owned())
}

async fn test(dms: &Dms, instance: &str, endpoint: &str) -> Result<()> {
    let test = dms.test_connection().replication_instance_arn(instance).endpoint_arn(endpoint);
    test.send().await.context("test a connection")?;
    let filter = Filter::builder().name("endpoint-arn").values(endpoint).build()?;
    poll("the test of a connection", async || {
        let page = dms.describe_connections().filters(filter.clone()).send().await.context("describe the test")?;
        match page.connections().first().and_then(|found| Some((found.status()?, found))) {
            Some(("failed", found)) => {
                bail!("DMS cannot connect: {}", found.last_failure_message().unwrap_or_default())
            }
            found => Ok(found.is_some_and(|(status, _)| status == "successful")),
        }
    })
    .await
}

async fn create_task(dms: &Dms, instance: &str, endpoints: &[String; 2], mapping: &Value) -> Result<String> {
    let [source, target] = endpoints;
    let create = dms
        .create_replication_task()
        .replication_task_identifier(NAME)
        .replication_instance_arn(instance)
        .source_endpoint_arn(source)
        .target_endpoint_arn(target)
        .migration_type(MigrationTypeValue::FullLoadAndCdc)
        .table_mappings(mapping.to_string())
        .replication_task_settings(settings().to_string());
    let made = create.send().await.context("create the task")?;
    Ok(made.replication_task().and_then(|task| task.replication_task_arn()).context("the task has no ARN")?.to_owned())
}

/// What is not named has DMS's default; among it, that an error is logged and its row left out.
fn settings() -> Value {
    json!({
        "TargetMetadata": {
            "SupportLobs": true, "FullLobMode": false, "LimitedSizeLobMode": true, "LobMaxSize": LARGEST_VALUE,
        },
        "FullLoadSettings": { "TargetTablePrepMode": "DO_NOTHING" },
        "Logging": { "EnableLogging": true },
    })
}

/// Every schema; partitions instead of their parents; no generated columns, which nobody may write.
async fn mapping(target: &Client) -> Result<Value> {
    let own = "n.nspname !~ '^(pg_|information_schema)'";
    let schemas = format!("SELECT n.nspname::text, '%', '' FROM pg_namespace n WHERE {own}");
    let parents = format!(
        "SELECT n.nspname::text, c.relname::text, '' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'p' AND {own}"
    );
    let generated = format!(
        "SELECT n.nspname::text, c.relname::text, a.attname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE a.attgenerated <> '' AND c.relkind = 'r' AND {own}"
    );
    let mut rules = Vec::new();
    for (action, sql) in [("include", schemas), ("exclude", parents), ("remove-column", generated)] {
        for row in target.query(&sql, &[]).await.context("list what DMS carries")? {
            rules.push(rule(rules.len() + 1, action, [row.get(0), row.get(1), row.get(2)]));
        }
    }
    Ok(json!({ "rules": rules }))
}

fn rule(id: usize, action: &str, [schema, table, column]: [&str; 3]) -> Value {
    // `_` and others are wildcards, and a bracketed one stands for itself.
    let name = |name: &str| if name == "%" { name.to_owned() } else { name.replace('_', "[_]") };
    let mut place = json!({ "schema-name": name(schema), "table-name": name(table) });
    let mut rule = json!({ "rule-type": "selection", "rule-id": id.to_string(), "rule-name": id.to_string() });
    if action == "remove-column" {
        rule["rule-type"] = json!("transformation");
        rule["rule-target"] = json!("column");
        place["column-name"] = json!(name(column));
    }
    rule["rule-action"] = json!(action);
    rule["object-locator"] = place;
    rule
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_as_they_are_and_a_column_is_removed_by_a_transformation() {
        let schema = rule(1, "include", ["shop_eu", "%", ""]);
        let column = rule(2, "remove-column", ["shop", "order_lines", "amount"]);

        assert_eq!(schema["object-locator"], json!({"schema-name": "shop[_]eu", "table-name": "%"}));
        assert_eq!((&schema["rule-type"], &column["rule-type"]), (&json!("selection"), &json!("transformation")));
        assert_eq!(column["object-locator"]["column-name"], "amount");
    }
}
