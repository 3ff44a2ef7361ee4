//! DMS's statistics per table, page by page: a source may have ten thousand tables, and only the troubled ones matter.

use aws_sdk_databasemigration::types::{TableStatistics, TableToReload};
use pgleap_contract::steps::TableName;
use pgleap_step_kit::aws::{AwsError, Class, Doing};

use crate::{Dms, Task};

/// Largest page that DMS serves for this call.
const PAGE: i32 = 500;
/// How many names a message carries.
const NAMED: usize = 20;
/// Tables in one request (AWS documentation, ReloadTables).
const RELOADED_AT_ONCE: usize = 10;

/// How the load of a table stands.
#[derive(Debug, Clone, PartialEq)]
pub struct TableLoad {
    /// The table.
    pub name: TableName,
    /// DMS's words: `Table completed`, `Table error`, ..
    pub state: String,
    /// When its load began, in seconds since the epoch; 0 if it never did.
    pub began: f64,
    /// When its load ended, in seconds since the epoch; 0 if it never did.
    pub ended: f64,
}

impl TableLoad {
    fn of(table: TableStatistics) -> Self {
        Self {
            name: name_of(&table),
            began: table.full_load_start_time.map_or(0.0, |at| at.as_secs_f64()),
            ended: table.full_load_end_time.map_or(0.0, |at| at.as_secs_f64()),
            state: table.table_state.unwrap_or_default(),
        }
    }
}

/// What is wrong with the tables of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableProblems {
    /// Tables that DMS knows of.
    pub tables: u64,
    /// Tables in error, or that do not exist on one side.
    pub errored: u64,
    /// Tables neither loaded completely nor in error.
    pub unfinished: u64,
    /// Tables that one side does not have: no reload brings them.
    pub missing: u64,
    /// The first ones in error, at most one more than a run mends.
    pub in_error: Vec<TableName>,
    /// The first ones in error, with their states.
    pub named: Vec<String>,
    /// The first unfinished ones, with their states.
    pub named_unfinished: Vec<String>,
}

impl TableProblems {
    /// Every table is loaded.
    pub fn none(&self) -> bool {
        self.errored == 0 && self.unfinished == 0
    }

    fn add(&mut self, table: &TableStatistics) {
        let state = table.table_state.as_deref().unwrap_or("unknown");
        self.tables += 1;
        let (count, named) = match state {
            "Table completed" => return,
            "Table error" | "Table does not exist" | "Table cancelled" => (&mut self.errored, &mut self.named),
            _ => (&mut self.unfinished, &mut self.named_unfinished),
        };
        *count += 1;
        self.missing += u64::from(state == "Table does not exist");
        if matches!(state, "Table error" | "Table cancelled") && self.in_error.len() <= TableName::MOST_IN_ERROR {
            self.in_error.push(name_of(table));
        }
        if named.len() < NAMED {
            named.push(format!("{} ({state})", name_of(table)));
        }
    }
}

/// Where tables are in error, the unfinished ones are no news.
impl std::fmt::Display for TableProblems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (count, named) = match self.errored {
            0 => (self.unfinished, &self.named_unfinished),
            errored => (errored, &self.named),
        };
        write!(f, "{count} of {} tables: {}", self.tables, named.join(", "))?;
        if count > named.len() as u64 { f.write_str(", …") } else { Ok(()) }
    }
}

fn name_of(table: &TableStatistics) -> TableName {
    TableName {
        schema: table.schema_name.clone().unwrap_or_default(),
        table: table.table_name.clone().unwrap_or_default(),
    }
}

impl Dms {
    /// How the loads of these tables stand, in no particular order; a table that the task does not know is missing.
    pub async fn tables(&self, task: &Task, names: &[TableName]) -> Result<Vec<TableLoad>, AwsError> {
        let mut found = Vec::new();
        let take = |table| found.extend(Some(TableLoad::of(table)).filter(|load| names.contains(&load.name)));
        self.statistics(task.arn()?, take).await?;
        Ok(found)
    }

    /// Read the statistics of every table of the task.
    pub async fn table_problems(&self, task: &Task) -> Result<TableProblems, AwsError> {
        let mut problems = TableProblems::default();
        self.statistics(task.arn()?, |table| problems.add(&table)).await?;
        Ok(problems)
    }

    async fn statistics(&self, task_arn: &str, mut take: impl FnMut(TableStatistics)) -> Result<(), AwsError> {
        let request = self.client.describe_table_statistics().replication_task_arn(task_arn).max_records(PAGE);
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.doing("describe table statistics")?;
            page.table_statistics.unwrap_or_default().into_iter().for_each(&mut take);
        }
        Ok(())
    }

    /// Ask for tables to be loaded again. A task that has just ended loads none: the next look sees why.
    pub async fn reload(&self, task: &Task, tables: &[TableName]) -> Result<(), AwsError> {
        let arn = task.arn()?;
        for some in tables.chunks(RELOADED_AT_ONCE) {
            let named = some.iter().map(|table| {
                let named = TableToReload::builder().schema_name(&table.schema).table_name(&table.table);
                named.build().expect("schema and table are set")
            });
            let reload = self.client.reload_tables().replication_task_arn(arn);
            match reload.set_tables_to_reload(Some(named.collect())).send().await.doing("reload tables") {
                Err(error) if error.is(Class::WrongState) => {}
                other => drop(other?),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_troubled_tables_are_named_and_not_all_of_many() {
        let table = |name: &str, state: &str| {
            TableStatistics::builder().schema_name("app").table_name(name).table_state(state).build()
        };
        let mut problems = TableProblems::default();

        problems.add(&table("good", "Table completed"));
        assert!(problems.none());
        for n in 0..30 {
            problems.add(&table(&format!("t{n}"), "Before load"));
        }
        assert!(problems.to_string().starts_with("30 of 31 tables: app.t0 (Before load), "));
        assert!(problems.to_string().ends_with(", …"));
        problems.add(&table("bad", "Table error"));

        assert_eq!((problems.tables, problems.errored, problems.unfinished), (32, 1, 30));
        assert_eq!(problems.to_string(), "1 of 32 tables: app.bad (Table error)");
    }
}
