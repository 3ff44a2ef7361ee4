//! The hosted zones: what the API shows, and what the name servers answer a propagation delay later.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use local_aws_core::ACCOUNT;
use serde_json::{Value, json};

use crate::names::{bare_id, sort_key, within};
use crate::record_set::{RecordSet, Records};

/// The hosted zones; clones share them.
#[derive(Debug, Clone)]
pub struct Zones {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) zones: BTreeMap<String, Zone>,
    changes: HashMap<String, Change>,
    propagation: Duration,
    /// Accounts of zones that are not the stand-in's own.
    accounts: HashMap<String, String>,
    /// Zones that whoever asks does not see.
    unseen: HashSet<String>,
}

/// One hosted zone.
#[derive(Debug)]
pub(crate) struct Zone {
    /// Bare, without `/hostedzone/`.
    pub(crate) id: String,
    /// With its trailing dot.
    pub(crate) name: String,
    pub(crate) caller_reference: String,
    pub(crate) comment: Option<String>,
    /// The model's `VPC` of a private zone.
    pub(crate) vpc: Option<Value>,
    /// As the API shows them: the newest.
    pub(crate) records: Records,
    answered: Arc<Records>,
    under_way: VecDeque<(Instant, Arc<Records>)>,
}

#[derive(Debug)]
struct Change {
    submitted_at: f64,
    comment: Option<String>,
    in_sync_at: Instant,
    zone_id: String,
}

impl Zones {
    /// No zone yet; a change takes `propagation` until the name servers have it (on AWS up to 60 s).
    pub fn new(propagation: Duration) -> Self {
        let state = State {
            zones: BTreeMap::new(),
            changes: HashMap::new(),
            propagation,
            accounts: HashMap::new(),
            unseen: HashSet::new(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Changes submitted from now on take this long.
    pub fn set_propagation(&self, propagation: Duration) {
        self.lock().propagation = propagation;
    }

    /// Whoever asks stands in a VPC that this private zone is not associated with.
    pub fn dissociate(&self, zone_id: &str) {
        self.lock().unseen.insert(zone_id.trim_start_matches("/hostedzone/").to_owned());
    }

    /// The zone belongs to another account.
    pub fn give_to(&self, zone_id: &str, account: &str) {
        self.lock().accounts.insert(bare_id(zone_id).to_owned(), account.to_owned());
    }

    /// Whose a zone is, if there is one.
    pub fn account_of(&self, zone_id: &str) -> Option<String> {
        let (state, id) = (self.lock(), bare_id(zone_id));
        state.zones.get(id)?;
        Some(state.accounts.get(id).cloned().unwrap_or_else(|| ACCOUNT.to_owned()))
    }

    /// Whose the zone is that a change was made in.
    pub fn account_of_change(&self, change_id: &str) -> Option<String> {
        let zone = self.lock().changes.get(bare_id(change_id))?.zone_id.clone();
        self.account_of(&zone)
    }

    /// What the name servers answer at this moment for the zone that a canonical name is in: the zone and its records.
    pub(crate) fn answered(&self, name: &str, now: Instant) -> Option<(String, Arc<Records>)> {
        let mut state = self.lock();
        let State { zones, unseen, .. } = &mut *state;
        let zones = zones.values_mut().filter(|zone| within(name, &zone.name) && !unseen.contains(&zone.id));
        let zone = zones.max_by_key(|zone| zone.name.len())?;
        Some((zone.name.clone(), zone.answered(now)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The zones in the order in which they are listed by name.
    pub(crate) fn by_name(&self) -> Vec<&Zone> {
        let mut zones: Vec<&Zone> = self.zones.values().collect();
        zones.sort_by_key(|zone| (sort_key(&zone.name), zone.id.clone()));
        zones
    }

    /// Give a zone new records; the answer is the model's `ChangeInfo`.
    pub(crate) fn submit(&mut self, zone_id: &str, records: Records, comment: Option<&str>, now: Instant) -> Value {
        let in_sync_at = now + self.propagation;
        if let Some(zone) = self.zones.get_mut(zone_id) {
            zone.under_way.push_back((in_sync_at, Arc::new(records.clone())));
            zone.records = records;
        }
        let id = new_id('C');
        let submitted_at = local_aws_core::Clock::new(1.0).epoch_seconds();
        self.changes.insert(
            id.clone(),
            Change { submitted_at, comment: comment.map(str::to_owned), in_sync_at, zone_id: zone_id.to_owned() },
        );
        self.change_info(&id, now).unwrap_or_default()
    }

    /// The model's `ChangeInfo` of a change.
    pub(crate) fn change_info(&self, id: &str, now: Instant) -> Option<Value> {
        let change = self.changes.get(id)?;
        let status = if now >= change.in_sync_at { "INSYNC" } else { "PENDING" };
        Some(json!({
            "Id": format!("/change/{id}"), "Status": status, "SubmittedAt": change.submitted_at, "Comment": change.comment,
        }))
    }
}

impl Zone {
    /// A zone with its SOA and name servers, answered from its first moment on.
    pub(crate) fn new(name: &str, caller_reference: &str, comment: Option<&str>, vpc: Option<Value>) -> Self {
        let servers: Vec<String> = name_servers().iter().map(|server| format!("{server}.")).collect();
        let soa = format!("{} awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400", servers[0]);
        let apex = [RecordSet::simple(name, "NS", 172_800, &servers), RecordSet::simple(name, "SOA", 900, &[soa])];
        let records: Records = apex.into_iter().map(|record| (record.key(), record)).collect();
        Self {
            id: new_id('Z'),
            name: name.to_owned(),
            caller_reference: caller_reference.to_owned(),
            comment: comment.map(str::to_owned),
            vpc,
            answered: Arc::new(records.clone()),
            under_way: VecDeque::new(),
            records,
        }
    }

    fn answered(&mut self, now: Instant) -> Arc<Records> {
        while self.under_way.front().is_some_and(|(in_sync_at, _)| *in_sync_at <= now) {
            if let Some((_, records)) = self.under_way.pop_front() {
                self.answered = records;
            }
        }
        self.answered.clone()
    }
}

/// The names of the servers in every delegation set here.
pub(crate) fn name_servers() -> [&'static str; 4] {
    ["ns-1.awsdns-01.org", "ns-2.awsdns-02.co.uk", "ns-3.awsdns-03.com", "ns-4.awsdns-04.net"]
}

/// `Z` or `C` and nineteen capitals or digits, like AWS's.
fn new_id(first: char) -> String {
    let rest = std::iter::repeat_with(|| fastrand::alphanumeric().to_ascii_uppercase());
    std::iter::once(first).chain(rest.take(19)).collect()
}
