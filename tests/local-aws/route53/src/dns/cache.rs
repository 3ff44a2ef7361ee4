//! What the resolver keeps of the name servers' answers, and for how long.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use hickory_proto::rr::{RData, Record, RecordType};

use super::answer::Found;
use crate::names::canonical;

/// No resolver has to keep "there is no such record" for the 900 s that Route 53's SOA allows, and rehearsals need not wait.
const LONGEST_DENIAL: Duration = Duration::from_secs(5);

/// Record sets and denials by name and type, each until it expires.
#[derive(Debug)]
pub(super) struct Cache {
    minimum_ttl: Duration,
    entries: HashMap<(String, RecordType), Entry>,
}

#[derive(Debug)]
struct Entry {
    found: Found,
    expires: Instant,
}

impl Cache {
    /// Keeps everything for at least this time, which zero turns off.
    pub(super) fn new(minimum_ttl: Duration) -> Self {
        Self { minimum_ttl, entries: HashMap::new() }
    }

    /// What is kept for a canonical name, with the time that is left as its TTL. A CNAME stands for every other type.
    pub(super) fn get(&self, name: &str, kind: RecordType, now: Instant) -> Option<Found> {
        let fresh = |kind| {
            let entry = self.entries.get(&(name.to_owned(), kind)).filter(|entry| now < entry.expires)?;
            Some(aged(entry.found.clone(), entry.expires - now))
        };
        fresh(kind).or_else(|| match fresh(RecordType::CNAME)? {
            Found::Records(records) => {
                let target = records.iter().find_map(target_of)?;
                Some(Found::Alias(records, target))
            }
            _ => None,
        })
    }

    /// Keep it, unless its TTL says not to.
    pub(super) fn keep(&mut self, name: &str, kind: RecordType, found: &Found, now: Instant) {
        self.entries.retain(|_, entry| now < entry.expires);
        let time = time_of(found).map_or(Duration::ZERO, |ttl| ttl.max(self.minimum_ttl));
        if time.is_zero() {
            return;
        }
        let (kind, found) = match found {
            Found::Alias(records, _) => (RecordType::CNAME, Found::Records(records.clone())),
            other => (kind, other.clone()),
        };
        self.entries.insert((name.to_owned(), kind), Entry { found, expires: now + time });
    }
}

/// How long an answer may be kept. A denial without a SOA says nothing of that, so it is not kept.
fn time_of(found: &Found) -> Option<Duration> {
    match found {
        Found::Records(records) | Found::Alias(records, _) => {
            records.iter().map(|record| record.ttl).min().map(seconds)
        }
        Found::NoRecord(soa) | Found::NoName(soa) => {
            let soa = soa.as_ref()?;
            // RFC 2308: the smaller one of the SOA's own TTL and its MINIMUM.
            let RData::SOA(data) = &soa.data else { return None };
            Some(seconds(soa.ttl.min(data.minimum)).min(LONGEST_DENIAL))
        }
    }
}

fn seconds(ttl: u32) -> Duration {
    Duration::from_secs(u64::from(ttl))
}

fn aged(found: Found, left: Duration) -> Found {
    // Whole seconds, rounded up: what is kept has not expired yet.
    let ttl = u32::try_from(left.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
    let with_ttl = |mut record: Record| {
        record.ttl = ttl;
        record
    };
    let all = |records: Vec<Record>| records.into_iter().map(with_ttl).collect();
    match found {
        Found::Records(records) => Found::Records(all(records)),
        Found::Alias(records, target) => Found::Alias(all(records), target),
        Found::NoRecord(soa) => Found::NoRecord(soa.map(with_ttl)),
        Found::NoName(soa) => Found::NoName(soa.map(with_ttl)),
    }
}

fn target_of(record: &Record) -> Option<String> {
    match &record.data {
        RData::CNAME(target) => Some(canonical(&target.0.to_ascii())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::rr::Name;

    use super::*;

    const NAME: &str = "db.example.com.";

    fn record(kind: RecordType, ttl: u32, value: &str) -> Record {
        let data = RData::try_from_str(kind, value).unwrap();
        Record::from_rdata(Name::from_ascii(NAME).unwrap(), ttl, data)
    }

    fn address(ttl: u32) -> Found {
        Found::Records(vec![record(RecordType::A, ttl, "10.0.0.1")])
    }

    /// Kept at the beginning under a minimum TTL: what is answered after so many milliseconds.
    fn after(minimum_ttl: u64, found: &Found, milliseconds: u64) -> Option<Found> {
        let (mut cache, now) = (Cache::new(Duration::from_secs(minimum_ttl)), Instant::now());
        cache.keep(NAME, RecordType::A, found, now);
        cache.get(NAME, RecordType::A, now + Duration::from_millis(milliseconds))
    }

    #[test]
    fn an_answer_is_kept_for_its_ttl_which_counts_down() {
        assert_eq!(after(0, &address(5), 0), Some(address(5)));
        assert_eq!(after(0, &address(5), 3_000), Some(address(2)));
        assert_eq!(after(0, &address(5), 4_999), Some(address(1)));
        assert_eq!(after(0, &address(5), 5_000), None);
        assert_eq!(after(0, &address(0), 0), None);
    }

    #[test]
    fn an_answer_is_kept_for_at_least_the_minimum_ttl() {
        for ttl in [0, 1] {
            assert_eq!(after(30, &address(ttl), 0), Some(address(30)), "TTL {ttl}");
            assert_eq!(after(30, &address(ttl), 29_000), Some(address(1)), "TTL {ttl}");
            assert_eq!(after(30, &address(ttl), 30_000), None, "TTL {ttl}");
        }
        assert_eq!(after(30, &address(60), 31_000), Some(address(29)));
    }

    #[test]
    fn a_denial_is_kept_for_a_few_seconds_if_the_soa_says_so() {
        let soa = |ttl: u32, minimum: u32| {
            let text = format!("ns-1.awsdns-01.org. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 {minimum}");
            Some(record(RecordType::SOA, ttl, &text))
        };
        let shown = |found: Option<Found>| match found {
            Some(Found::NoName(soa) | Found::NoRecord(soa)) => soa.map(|soa| soa.ttl),
            _ => None,
        };
        for denial in [Found::NoName, Found::NoRecord] {
            let of_route53 = denial(soa(900, 86_400));
            assert_eq!(shown(after(0, &of_route53, 4_000)), Some(1));
            assert_eq!(shown(after(0, &of_route53, 5_000)), None);
            assert_eq!(shown(after(30, &of_route53, 29_000)), Some(1));
            assert_eq!(shown(after(0, &denial(soa(900, 2)), 1_000)), Some(1));
            assert_eq!(shown(after(0, &denial(soa(900, 2)), 2_000)), None);
            assert_eq!(after(0, &denial(None), 0), None);
        }
    }

    #[test]
    fn a_cname_that_is_kept_stands_for_every_type() {
        let (mut cache, now) = (Cache::new(Duration::ZERO), Instant::now());
        let records = vec![record(RecordType::CNAME, 60, "db-1.example.org.")];

        cache.keep(NAME, RecordType::A, &Found::Alias(records.clone(), "db-1.example.org.".to_owned()), now);

        let alias = Some(Found::Alias(records.clone(), "db-1.example.org.".to_owned()));
        assert_eq!(cache.get(NAME, RecordType::A, now), alias);
        assert_eq!(cache.get(NAME, RecordType::AAAA, now), alias);
        assert_eq!(cache.get(NAME, RecordType::CNAME, now), Some(Found::Records(records)));
    }
}
