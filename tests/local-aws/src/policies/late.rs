//! Tags that policies see late.
//!
//! "Tags are cached for authorization purposes. Because of this, additions and updates to tags on Amazon RDS resources can take
//! several minutes before they are available" (RDS user guide; the DMS guide says the same of its own).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When a tag may be seen: by ARN and key.
type Seen = HashMap<(String, String), Instant>;

/// A delay of every tag, from the first call on that asks for it. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct LateTags(Arc<Mutex<Option<(Duration, Seen)>>>);

impl LateTags {
    /// From now on a tag is seen so much later.
    pub(crate) fn delay(&self, delay: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((delay, Seen::default()));
    }

    /// Those of the keys that policies see by now.
    pub(crate) fn seen(&self, arn: &str, mut keys: Vec<String>) -> Vec<String> {
        let mut late = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((delay, seen)) = late.as_mut() else { return keys };
        let now = Instant::now();
        // A tag that went and came again is a new one.
        seen.retain(|(of, key), _| of != arn || keys.contains(key));
        keys.retain(|key| *seen.entry((arn.to_owned(), key.clone())).or_insert(now + *delay) <= now);
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_seen_late_and_again_when_it_is_given_anew() {
        let late = LateTags::default();
        let keys = || vec!["pgleap:run".to_owned()];
        assert_eq!(late.seen("arn:a", keys()), keys());

        late.delay(Duration::from_secs(600));
        assert_eq!(late.seen("arn:a", keys()), [""; 0]);
        late.delay(Duration::ZERO);
        assert_eq!(late.seen("arn:a", keys()), keys());

        late.delay(Duration::from_millis(50));
        assert_eq!(late.seen("arn:a", keys()), [""; 0]);
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(late.seen("arn:a", keys()), keys());
        assert_eq!(late.seen("arn:a", vec![]), [""; 0]);
        assert_eq!(late.seen("arn:a", keys()), [""; 0]);
    }
}
