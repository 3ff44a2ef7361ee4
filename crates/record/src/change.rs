//! Changing the group.

use std::time::{Duration, SystemTime};

use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecord, ResourceRecordSet};
use pgleap_contract::Record;
use pgleap_step_kit::aws::{AwsError, Doing, Optional};

use crate::{Member, Records};

/// Changes of the group that are carried out together or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    changes: Vec<Change>,
}

impl Batch {
    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// The TTL under which a cutover happens, in seconds: the wanted one, or one less where the record's own is as low already. It
/// always differs from the record's own, so that a batch that was made before a rollback matches nothing after it.
pub fn cutover_ttl(own: u32, wanted: u32) -> u32 {
    match own {
        own if own > wanted => wanted,
        0 => 1,
        own => own - 1,
    }
}

/// The changes that bring each member to the wanted value and TTL; none for members that are so already.
///
/// A DELETE and a CREATE in place of an UPSERT: a DELETE must match the record as it is, value and TTL, and a batch is
/// carried out as a whole or not at all. So the batch is a compare-and-swap: what somebody changed since it was read,
/// or a late request of a Lambda that was given up on, changes nothing. All DELETEs come first, because the members of
/// a weighted group must not differ in TTL at any moment (AWS documentation, ChangeResourceRecordSets).
pub fn plan(members: &[Member], wanted: impl Fn(&Member) -> (String, u32)) -> Batch {
    let changed: Vec<(&Member, String, u32)> = members
        .iter()
        .map(|member| {
            let (value, ttl) = wanted(member);
            (member, value, ttl)
        })
        .filter(|(member, value, ttl)| member.value() != Some(value.as_str()) || member.ttl() != Some(*ttl))
        .collect();
    let deletes = changed.iter().map(|(member, _, _)| change(ChangeAction::Delete, member.set.clone()));
    let creates = changed.iter().map(|(member, value, ttl)| {
        let mut set = member.set.clone();
        set.ttl = Some(i64::from(*ttl));
        let record = ResourceRecord::builder().value(value).build().expect("the value is set");
        set.resource_records = Some(vec![record]);
        change(ChangeAction::Create, set)
    });
    Batch { changes: deletes.chain(creates).collect() }
}

/// The group as it is, sent once more: its answer names a change whose sync can be asked for, where the answer of the
/// change itself was lost. It is in sync no earlier than that one, because both concern the same record sets.
pub fn resubmit(members: &[Member]) -> Batch {
    let each = |action: ChangeAction| members.iter().map(move |member| change(action.clone(), member.set.clone()));
    Batch { changes: each(ChangeAction::Delete).chain(each(ChangeAction::Create)).collect() }
}

fn change(action: ChangeAction, set: ResourceRecordSet) -> Change {
    Change::builder().action(action).resource_record_set(set).build().expect("action and record set are set")
}

/// How far a change has come to the name servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// All name servers have it.
    pub in_sync: bool,
    /// Since it was submitted, by Route 53's clock and this one; none if Route 53 has forgotten it.
    pub since_submitted: Option<Duration>,
}

impl Spread {
    const FORGOTTEN: Self = Self { in_sync: true, since_submitted: None };
}

impl Records {
    /// Submit the changes as one batch; answers the change's id. `Refused` means that the record is no longer as it was read.
    pub async fn submit(&self, record: &Record, comment: String, batch: Batch) -> Result<String, AwsError> {
        let batch = ChangeBatch::builder().comment(comment).set_changes(Some(batch.changes));
        let change = self.client.change_resource_record_sets().hosted_zone_id(&record.zone_id);
        let answer = change.change_batch(batch.build().expect("changes are set")).send().await;
        let change = self.advised(answer.doing(format!("change record {}", record.name)))?.change_info;
        Ok(change.map(|info| info.id).unwrap_or_default())
    }

    /// Whether a change has reached all name servers. Route 53 forgets old changes; a forgotten one is long in sync
    /// (assumed: no retention is documented).
    pub async fn is_in_sync(&self, change_id: &str) -> Result<bool, AwsError> {
        Ok(self.spread(change_id).await?.in_sync)
    }

    /// How far a change has come.
    pub async fn spread(&self, change_id: &str) -> Result<Spread, AwsError> {
        let answer = self.client.get_change().id(change_id).send().await;
        let found = self.advised(answer.doing(format!("read the status of change {change_id}"))).optional()?;
        let Some(info) = found.and_then(|answer| answer.change_info) else { return Ok(Spread::FORGOTTEN) };
        let submitted = SystemTime::try_from(info.submitted_at).ok();
        let since = submitted.and_then(|at| SystemTime::now().duration_since(at).ok());
        Ok(Spread { in_sync: info.status == ChangeStatus::Insync, since_submitted: since })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_route53::types::RrType;

    fn member(identifier: Option<&str>, value: &str, ttl: i64) -> Member {
        let set = ResourceRecordSet::builder()
            .name("db.example.com.")
            .r#type(RrType::Cname)
            .set_set_identifier(identifier.map(str::to_owned))
            .set_weight(identifier.map(|_| 10))
            .set_health_check_id(identifier.map(|_| "check".to_owned()))
            .ttl(ttl)
            .resource_records(ResourceRecord::builder().value(value).build().expect("value"))
            .build()
            .expect("name and type");
        Member { set }
    }

    #[test]
    fn a_change_deletes_what_was_read_and_creates_it_with_another_value_and_all_else_kept() {
        let group = [member(Some("a"), "old", 300), member(Some("b"), "other", 300)];

        let changes =
            plan(&group, |m| (if m.value() == Some("old") { "new".to_owned() } else { "other".to_owned() }, 1));

        let said: Vec<_> = changes
            .changes
            .iter()
            .map(|change| {
                let set = change.resource_record_set().expect("set");
                let value = set.resource_records()[0].value();
                assert_eq!((set.weight(), set.health_check_id()), (Some(10), Some("check")));
                format!(
                    "{} {} {} {}",
                    change.action(),
                    set.set_identifier().unwrap_or("-"),
                    value,
                    set.ttl().unwrap_or(0)
                )
            })
            .collect();
        assert_eq!(said, ["DELETE a old 300", "DELETE b other 300", "CREATE a new 1", "CREATE b other 1"]);
    }

    #[test]
    fn the_ttl_of_a_cutover_always_differs_from_the_records_own() {
        let cases = [(300, 1, 1), (2, 1, 1), (1, 1, 0), (0, 1, 1), (30, 60, 29), (60, 60, 59)];
        for (own, wanted, expected) in cases {
            assert_eq!(cutover_ttl(own, wanted), expected, "{own} {wanted}");
            assert_ne!(cutover_ttl(own, wanted), own);
        }
    }

    #[test]
    fn a_member_that_is_as_wanted_is_left_alone() {
        let group = [member(None, "old", 5)];

        assert!(plan(&group, |m| (m.value().expect("value").to_owned(), 5)).is_empty());
        assert_eq!(resubmit(&group).changes.len(), 2);
    }
}
