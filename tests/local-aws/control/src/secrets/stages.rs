//! Staging labels: each is attached to one version of a secret at a time.

use std::collections::BTreeMap;

use local_aws_core::ApiError;

use super::store::error;

pub(super) const CURRENT: &str = "AWSCURRENT";
pub(super) const PREVIOUS: &str = "AWSPREVIOUS";
/// Labels of all versions of a secret.
/// Source: AWS Secrets Manager user guide, "Quotas".
const MOST: usize = 20;

/// Which version has which label.
#[derive(Debug, Clone, Default)]
pub(super) struct Stages(BTreeMap<String, String>);

impl Stages {
    /// The version with this label.
    pub(super) fn at(&self, label: &str) -> Option<&str> {
        self.0.get(label).map(String::as_str)
    }

    /// The labels of a version.
    pub(super) fn of(&self, version: &str) -> Vec<&str> {
        self.0.iter().filter(|(_, at)| *at == version).map(|(label, _)| label.as_str()).collect()
    }

    /// Attach a label, wherever it was. AWSPREVIOUS follows AWSCURRENT.
    pub(super) fn attach(&mut self, label: &str, version: &str) -> Result<(), ApiError> {
        if !self.0.contains_key(label) && self.0.len() >= MOST {
            return Err(error("LimitExceededException", "You've exceeded the quota of staging labels of a secret."));
        }
        let before = self.0.insert(label.to_owned(), version.to_owned());
        if let Some(before) = before.filter(|before| label == CURRENT && before != version) {
            self.0.insert(PREVIOUS.to_owned(), before);
        }
        Ok(())
    }

    /// As UpdateSecretVersionStage does: a label that is attached is moved or removed only from the version that is named.
    pub(super) fn move_label(
        &mut self,
        label: &str,
        remove_from: Option<&str>,
        move_to: Option<&str>,
    ) -> Result<(), ApiError> {
        let refuse = |text: String| Err(error("InvalidParameterException", &text));
        match (self.at(label), remove_from) {
            (Some(at), None) if move_to != Some(at) => {
                return refuse(format!(
                    "The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to version {at}, \
                     so you must explicitly reference that version in RemoveFromVersionId."
                ));
            }
            (at, Some(from)) if at != Some(from) => {
                return refuse(format!("Staging label {label} is not attached to version {from}."));
            }
            _ => {}
        }
        match move_to {
            Some(version) => self.attach(label, version),
            None if label == CURRENT => refuse(format!(
                "You can only move staging label {CURRENT} to a different secret version. It can't be completely removed."
            )),
            None if remove_from.is_none() => {
                refuse("You must specify MoveToVersionId or RemoveFromVersionId.".to_owned())
            }
            None => {
                self.0.remove(label);
                Ok(())
            }
        }
    }
}
