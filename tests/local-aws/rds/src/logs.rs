//! Log files: the server's own, and those that upgrades leave.

use std::collections::BTreeMap;

use local_aws_core::{ApiError, Call, Reply};
use serde_json::json;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::errors;
use crate::paging::{Filters, answer};
use crate::service::Shared;
use crate::state::{Instance, StoredLog};

/// Most that one call brings.
const MOST_BYTES: usize = 1 << 20;
const MOST_LINES: usize = 10_000;

/// A file as it is now.
struct LogFile {
    text: String,
    /// Milliseconds since 1970, as this one operation gives times.
    written_at: i64,
}

impl Shared {
    pub(crate) fn describe_log_files(&self, call: &Call) -> Reply {
        Filters::of(call, &[])?;
        let files = self.files_of(call)?;
        let wanted = |(name, file): &(&String, &LogFile)| {
            call.str("FilenameContains").is_none_or(|part| name.contains(part))
                && call.int("FileLastWritten").is_none_or(|since| file.written_at >= since)
                && call.int("FileSize").is_none_or(|least| file.text.len() as i64 > least)
        };
        let listed = files.iter().filter(wanted).map(
            |(name, file)| json!({ "LogFileName": name, "LastWritten": file.written_at, "Size": file.text.len() }),
        );
        answer(call, "DescribeDBLogFiles", listed.collect())
    }

    pub(crate) fn download_log_portion(&self, call: &Call) -> Reply {
        let name = call.required("LogFileName")?;
        let files = self.files_of(call)?;
        let file = files.get(name).ok_or_else(|| {
            ApiError::new(
                404,
                "DBLogFileNotFoundFault",
                format!("DBLog File: {name}, is not found on the DB instance."),
            )
        })?;
        let lines = match call.int("NumberOfLines") {
            Some(lines) if lines > 0 => usize::try_from(lines).unwrap_or(MOST_LINES),
            _ => MOST_LINES,
        };
        let marker = call.str("Marker").map(|marker| {
            marker
                .parse::<usize>()
                .ok()
                .filter(|start| file.text.is_char_boundary(*start))
                .ok_or_else(|| errors::value("Invalid marker."))
        });
        let (start, end) = portion(&file.text, marker.transpose()?, lines);
        Ok(json!({
            "LogFileData": &file.text[start..end],
            "Marker": end.to_string(),
            "AdditionalDataPending": end < file.text.len(),
        }))
    }

    fn files_of(&self, call: &Call) -> Result<BTreeMap<String, LogFile>, ApiError> {
        let state = self.state();
        let instance = state.instance(call.required("DBInstanceIdentifier")?)?;
        if instance.cluster.is_none() {
            return Err(ApiError::new(400, "DBInstanceNotReady", "The DB instance has no logs yet."));
        }
        let mut files = BTreeMap::new();
        for log in instance.logs.iter().cloned().chain(server_log(instance)) {
            let file = files.entry(log.name).or_insert_with(|| LogFile { text: String::new(), written_at: 0 });
            file.text.push_str(&log.text);
            file.written_at = (log.written_at * 1000.0) as i64;
        }
        Ok(files)
    }

    /// The server's log as it is now.
    pub(crate) fn stored_server_log(&self, resource_id: &str) -> Option<StoredLog> {
        self.with_instance(resource_id, |instance| server_log(instance)).flatten()
    }
}

/// One file for the whole life of an instance, named as the hourly files of RDS are.
fn server_log(instance: &Instance) -> Option<StoredLog> {
    let path = instance.cluster.as_ref()?.log_path();
    let text = String::from_utf8_lossy(&std::fs::read(&path).ok()?).into_owned();
    let modified = path.metadata().and_then(|metadata| metadata.modified()).ok()?;
    let written_at = modified.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs_f64();
    let hour = format_description!("[year]-[month]-[day]-[hour]");
    let created = OffsetDateTime::from_unix_timestamp(instance.created_at as i64).ok()?;
    Some(StoredLog { name: format!("error/postgresql.log.{}", created.format(hour).ok()?), text, written_at })
}

/// From the marker on as many lines as fit; without a marker the last ones.
fn portion(text: &str, marker: Option<usize>, lines: usize) -> (usize, usize) {
    match marker {
        Some(start) => {
            let rest = &text[start..];
            let by_lines = rest.match_indices('\n').nth(lines - 1).map_or(rest.len(), |(place, _)| place + 1);
            (start, start + floor_boundary(rest, by_lines.min(MOST_BYTES)))
        }
        None => {
            let body = text.strip_suffix('\n').unwrap_or(text);
            let by_lines = body.rmatch_indices('\n').nth(lines - 1).map_or(0, |(place, _)| place + 1);
            let by_bytes = text.len().saturating_sub(MOST_BYTES);
            (floor_boundary(text, by_lines.max(by_bytes)), text.len())
        }
    }
}

fn floor_boundary(text: &str, place: usize) -> usize {
    (0..=place.min(text.len())).rev().find(|place| text.is_char_boundary(*place)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_follow_the_marker_or_the_end() {
        let text = "one\ntwo\nthree\n";
        let cases = [
            (Some(0), 2, "one\ntwo\n"),
            (Some(8), 2, "three\n"),
            (Some(14), 2, ""),
            (None, 1, "three\n"),
            (None, 2, "two\nthree\n"),
            (None, 9, text),
        ];

        for (marker, lines, expected) in cases {
            let (start, end) = portion(text, marker, lines);
            assert_eq!(&text[start..end], expected, "{marker:?} {lines}");
        }
    }

    #[test]
    fn a_large_file_comes_in_pieces_of_a_megabyte() {
        let text = "ü".repeat(MOST_BYTES);

        let (start, end) = portion(&text, Some(0), MOST_LINES);

        assert_eq!((start, end), (0, MOST_BYTES));
        assert_eq!(portion(&text, Some(end), MOST_LINES), (MOST_BYTES, 2 * MOST_BYTES));
    }
}
