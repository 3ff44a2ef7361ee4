//! Logs of an instance.

use pgleap_step_kit::aws::{AwsError, Doing};

use crate::Rds;

/// A log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFile {
    /// With its folder: `error/postgresql.log`, ..
    pub name: String,
    /// When it was written to last, in milliseconds since the epoch.
    pub last_written: Option<i64>,
}

impl Rds {
    /// Logs of an instance whose names contain these words (the first page of them).
    pub async fn logs(&self, name: &str, containing: &str) -> Result<Vec<LogFile>, AwsError> {
        let request = self.client.describe_db_log_files().db_instance_identifier(name).filename_contains(containing);
        let answer = request.send().await.doing(format!("list logs of instance {name}"))?;
        let files = answer.describe_db_log_files.unwrap_or_default().into_iter();
        let named =
            files.filter_map(|file| Some(LogFile { name: file.log_file_name?, last_written: file.last_written }));
        Ok(named.collect())
    }

    /// Read a log from its beginning, page by page. A page may end anywhere.
    pub async fn read_log(&self, name: &str, file: &str, mut take: impl FnMut(&str)) -> Result<(), AwsError> {
        let request = self.client.download_db_log_file_portion().db_instance_identifier(name).log_file_name(file);
        let mut pages = request.marker("0").into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.doing(format!("read log {file} of instance {name}"))?;
            take(page.log_file_data().unwrap_or_default());
        }
        Ok(())
    }
}
