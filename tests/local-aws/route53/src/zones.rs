//! The hosted zones: what the API shows, and what each name server answers a propagation delay later.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use local_aws_core::ACCOUNT;
use serde_json::{Value, json};

use crate::name_server::NameServer;
use crate::names::{bare_id, sort_key, within};
use crate::propagation::{Propagation, SERVERS};
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
    propagation: Propagation,
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
    servers: [NameServer; SERVERS],
}

#[derive(Debug)]
struct Change {
    /// In the order of submission.
    number: usize,
    /// Epoch seconds.
    submitted_at: f64,
    submitted: Instant,
    comment: Option<String>,
    /// When each name server has it, alone or as a part of a later change.
    arrives: [Instant; SERVERS],
    zone_id: String,
}

/// How a change reached the name servers.
#[derive(Debug, Clone, PartialEq)]
pub struct Propagated {
    /// The comment of its batch.
    pub comment: Option<String>,
    /// Epoch seconds.
    pub submitted_at: f64,
    /// After how many seconds each name server has it.
    pub seconds: Vec<f64>,
}

impl Zones {
    /// No zone yet; a change takes `propagation` until the name servers have it (on AWS up to 60 s).
    pub fn new(propagation: impl Into<Propagation>) -> Self {
        let propagation = propagation.into();
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
    pub fn set_propagation(&self, propagation: impl Into<Propagation>) {
        self.lock().propagation = propagation.into();
    }

    /// Every change so far, in the order in which they were submitted.
    pub fn propagated(&self) -> Vec<Propagated> {
        let state = self.lock();
        let mut changes: Vec<&Change> = state.changes.values().collect();
        changes.sort_by_key(|change| change.number);
        changes.into_iter().map(Change::propagated).collect()
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

    /// What a name server answers at this moment for the zone that a canonical name is in: the zone and its records.
    pub(crate) fn answered(&self, server: usize, name: &str, now: Instant) -> Option<(String, Arc<Records>)> {
        let mut state = self.lock();
        let State { zones, unseen, .. } = &mut *state;
        let zones = zones.values_mut().filter(|zone| within(name, &zone.name) && !unseen.contains(&zone.id));
        let zone = zones.max_by_key(|zone| zone.name.len())?;
        Some((zone.name.clone(), zone.servers[server % SERVERS].answered(now)))
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
        let arrives = self.propagation.delays(&mut fastrand::f64).map(|delay| now + delay);
        self.submit_arriving(zone_id, records, comment, now, arrives)
    }

    fn submit_arriving(
        &mut self,
        zone_id: &str,
        records: Records,
        comment: Option<&str>,
        now: Instant,
        arrives: [Instant; SERVERS],
    ) -> Value {
        self.send(zone_id, &records, arrives);
        if let Some(zone) = self.zones.get_mut(zone_id) {
            zone.records = records;
        }
        let change = Change {
            number: self.changes.len(),
            submitted_at: local_aws_core::Clock::new(1.0).epoch_seconds(),
            submitted: now,
            comment: comment.map(str::to_owned),
            arrives,
            zone_id: zone_id.to_owned(),
        };
        let id = new_id('C');
        let info = change.info(&id, now);
        self.changes.insert(id, change);
        info
    }

    /// On the way to each name server. The records contain the zone's earlier changes, which arrive with them at the latest.
    fn send(&mut self, zone_id: &str, records: &Records, arrives: [Instant; SERVERS]) {
        let records = Arc::new(records.clone());
        if let Some(zone) = self.zones.get_mut(zone_id) {
            zone.servers.iter_mut().zip(arrives).for_each(|(server, at)| server.send(at, records.clone()));
        }
        for earlier in self.changes.values_mut().filter(|change| change.zone_id == zone_id) {
            earlier.arrives.iter_mut().zip(arrives).for_each(|(at, with_this)| *at = with_this.min(*at));
        }
    }

    /// The model's `ChangeInfo` of a change.
    pub(crate) fn change_info(&self, id: &str, now: Instant) -> Option<Value> {
        Some(self.changes.get(id)?.info(id, now))
    }
}

impl Change {
    /// In sync when the last name server has it.
    fn info(&self, id: &str, now: Instant) -> Value {
        let status = if self.arrives.iter().all(|at| *at <= now) { "INSYNC" } else { "PENDING" };
        json!({
            "Id": format!("/change/{id}"), "Status": status, "SubmittedAt": self.submitted_at, "Comment": self.comment,
        })
    }

    fn propagated(&self) -> Propagated {
        let seconds = self.arrives.map(|at| at.saturating_duration_since(self.submitted).as_secs_f64()).to_vec();
        Propagated { comment: self.comment.clone(), submitted_at: self.submitted_at, seconds }
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
            servers: std::array::from_fn(|_| NameServer::answering(Arc::new(records.clone()))),
            records,
        }
    }
}

/// The names of the servers in every delegation set here.
pub(crate) fn name_servers() -> [&'static str; SERVERS] {
    ["ns-1.awsdns-01.org", "ns-2.awsdns-02.co.uk", "ns-3.awsdns-03.com", "ns-4.awsdns-04.net"]
}

/// `Z` or `C` and nineteen capitals or digits, like AWS's.
fn new_id(first: char) -> String {
    let rest = std::iter::repeat_with(|| fastrand::alphanumeric().to_ascii_uppercase());
    std::iter::once(first).chain(rest.take(19)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NAME: &str = "db.example.com.";

    /// One zone, and a clock whose seconds count from its making.
    struct Bench {
        zones: Zones,
        id: String,
        began: Instant,
    }

    impl Bench {
        fn new() -> Self {
            let zones = Zones::new(Duration::ZERO);
            let zone = Zone::new("example.com.", "one", None, None);
            let id = zone.id.clone();
            zones.lock().zones.insert(id.clone(), zone);
            let bench = Self { zones, id, began: Instant::now() };
            bench.submit(0, "before", [0; 4]);
            bench
        }

        fn at(&self, second: u64) -> Instant {
            self.began + Duration::from_secs(second)
        }

        /// Submit a value that arrives at the name servers after these seconds; the answer is the change's id.
        fn submit(&self, second: u64, value: &str, delays: [u64; 4]) -> String {
            let mut state = self.zones.lock();
            let record = RecordSet::simple(NAME, "CNAME", 1, &[value.to_owned()]);
            let mut records = state.zones[&self.id].records.clone();
            records.insert(record.key(), record);
            let now = self.at(second);
            let arrives = delays.map(|delay| now + Duration::from_secs(delay));
            let info = state.submit_arriving(&self.id, records, None, now, arrives);
            info["Id"].as_str().unwrap().trim_start_matches("/change/").to_owned()
        }

        /// What the four name servers answer.
        fn answers(&self, second: u64) -> [String; 4] {
            std::array::from_fn(|server| {
                let (_, records) = self.zones.answered(server, NAME, self.at(second)).unwrap();
                let record = records.values().find(|record| record.name() == NAME).unwrap();
                record.values()[0].to_owned()
            })
        }

        fn status(&self, change: &str, second: u64) -> String {
            let info = self.zones.lock().change_info(change, self.at(second)).unwrap();
            info["Status"].as_str().unwrap().to_owned()
        }
    }

    #[test]
    fn each_name_server_answers_a_change_at_its_own_time_and_the_last_makes_it_in_sync() {
        let bench = Bench::new();

        let change = bench.submit(10, "after", [2, 40, 7, 11]);

        let (old, new) = ("before", "after");
        let cases = [
            (11, [old, old, old, old], "PENDING"),
            (12, [new, old, old, old], "PENDING"),
            (17, [new, old, new, old], "PENDING"),
            (49, [new, old, new, new], "PENDING"),
            (50, [new, new, new, new], "INSYNC"),
        ];
        for (second, answers, status) in cases {
            assert_eq!(bench.answers(second), answers, "second {second}");
            assert_eq!(bench.status(&change, second), status, "second {second}");
        }
        let last = bench.zones.propagated().pop().unwrap();
        assert_eq!(last.seconds, [2.0, 40.0, 7.0, 11.0]);
    }

    #[test]
    fn no_name_server_goes_back_when_a_later_change_overtakes_an_earlier_one() {
        let bench = Bench::new();

        let first = bench.submit(0, "first", [30, 5, 30, 5]);
        let second = bench.submit(1, "second", [3, 20, 39, 2]);

        let (zero, one, two) = ("before", "first", "second");
        let cases = [
            (2, [zero, zero, zero, zero]),
            (3, [zero, zero, zero, two]),
            (4, [two, zero, zero, two]),
            (5, [two, one, zero, two]),
            (21, [two, two, zero, two]),
            (30, [two, two, one, two]),
            (39, [two, two, one, two]),
            (40, [two, two, two, two]),
        ];
        for (second, answers) in cases {
            assert_eq!(bench.answers(second), answers, "second {second}");
        }
        // The third name server got the first change alone after 30 s; the others got it with the second one or before.
        assert_eq!([bench.status(&first, 29), bench.status(&first, 30)], ["PENDING", "INSYNC"]);
        assert_eq!([bench.status(&second, 39), bench.status(&second, 40)], ["PENDING", "INSYNC"]);
        assert_eq!(bench.zones.propagated()[1].seconds, [4.0, 5.0, 30.0, 3.0]);
    }

    #[test]
    fn an_earlier_change_is_in_sync_with_the_later_one_that_contains_it() {
        let bench = Bench::new();

        let first = bench.submit(0, "first", [40; 4]);
        bench.submit(1, "second", [2; 4]);

        assert_eq!([bench.status(&first, 2), bench.status(&first, 3)], ["PENDING", "INSYNC"]);
        assert_eq!(bench.answers(40), ["second"; 4]);
    }
}
