//! Time of the stand-in: real time, with AWS's delays scaled down.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Scales the delays that AWS would take (a snapshot's minutes); never time-outs, TTLs or deadlines of the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clock {
    scale: f64,
}

impl Clock {
    /// `scale` 1 is AWS's own pace; 0.01 turns 300 s into 3 s.
    pub fn new(scale: f64) -> Self {
        Self { scale }
    }

    /// Sleep for a delay given as AWS would take it.
    pub async fn sleep(&self, nominal: Duration) {
        tokio::time::sleep(nominal.mul_f64(self.scale)).await;
    }

    /// A nominal delay as it lasts here.
    pub fn scaled(&self, nominal: Duration) -> Duration {
        nominal.mul_f64(self.scale)
    }

    /// Now, in epoch seconds, the form in which services give timestamps.
    pub fn epoch_seconds(&self) -> f64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
    }
}
