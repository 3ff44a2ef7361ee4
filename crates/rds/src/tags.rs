//! Tags: whose a thing is.

use std::collections::BTreeMap;

use aws_sdk_rds::types::Tag;
use pgleap_contract::{Names, Run};
use pgleap_step_kit::aws::{AwsError, Doing};

use crate::Rds;

/// Tags by their keys.
pub type Tags = BTreeMap<String, String>;

/// Whether something with these tags was made by the run.
pub fn is_ours(tags: &Tags, run: &Run) -> bool {
    carries(tags, Names::TAG, run)
}

pub(crate) fn carries(tags: &Tags, key: &str, run: &Run) -> bool {
    tags.get(key).is_some_and(|value| value == run.id.as_str())
}

pub(crate) fn read(tags: &[Tag]) -> Tags {
    let both = |tag: &Tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()));
    tags.iter().filter_map(both).collect()
}

pub(crate) fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// The operator's own tags, and the run's.
pub(crate) fn of_run(run: &Run) -> Vec<Tag> {
    let own = run.tags.iter().map(|(key, value)| tag(key, value));
    own.chain([tag(Names::TAG, run.id.as_str())]).collect()
}

/// The run's tag, and its execution's: for what a run makes of its source, where runs of other stacks look for it.
pub(crate) fn of_source(run: &Run) -> Vec<Tag> {
    [of_run(run), vec![tag(Names::EXECUTION_TAG, &run.execution_arn)]].concat()
}

impl Rds {
    /// The tags of what has this ARN; `of` names it in an error.
    ///
    /// # Errors
    /// `Class::NotFound`: it is gone.
    pub async fn tags(&self, arn: &str, of: &str) -> Result<Tags, AwsError> {
        let answer = self.client.list_tags_for_resource().resource_name(arn).send().await;
        Ok(read(answer.doing(format!("list tags of {of}"))?.tag_list()))
    }

    /// Give what has this ARN a tag, in place of one with the same key. `doing`: verb and object, for an error.
    pub async fn add_tag(&self, arn: &str, key: &str, value: &str, doing: String) -> Result<(), AwsError> {
        let add = self.client.add_tags_to_resource().resource_name(arn).tags(tag(key, value));
        add.send().await.doing(doing).map(|_added| ())
    }

    /// Take tags with these keys from what has this ARN. `doing`: verb and object, for an error.
    pub async fn remove_tags(&self, arn: &str, keys: &[&str], doing: String) -> Result<(), AwsError> {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        let remove = self.client.remove_tags_from_resource().resource_name(arn).set_tag_keys(Some(keys));
        remove.send().await.doing(doing).map(|_removed| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_without_a_value_is_there_all_the_same() {
        let tags = read(&[tag("a", "b"), Tag::builder().key("empty").build(), Tag::builder().value("x").build()]);

        assert_eq!(tags, Tags::from([("a".to_owned(), "b".to_owned()), ("empty".to_owned(), String::new())]));
    }
}
