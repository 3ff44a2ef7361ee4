//! How a local AWS is started.

use std::sync::Arc;
use std::time::Duration;

use local_aws_core::{Authorize, Fault};
use local_aws_postgres::{Durability, Servers};
use local_aws_route53::Propagation;

/// How a local AWS is started; the default suits tests.
#[derive(Clone)]
pub struct Config {
    /// Factor on the delays that AWS would take (a snapshot's minutes, a Wait state): 0.01 turns 300 s into 3 s.
    /// Time-outs, TTLs, deadlines and schedules stay real.
    pub time_scale: f64,
    /// States whose waits and Retry intervals `time_scale` leaves alone, because what they wait out is real: a TTL, the
    /// propagation of a record.
    pub real_waits: Vec<String>,
    /// Port of the API on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Port of the DNS server on 127.0.0.1, UDP and TCP; 0 takes a free one.
    pub dns_port: u16,
    /// How long a change of a record takes to reach the name servers (AWS: up to 60 s). `time_scale` does not apply.
    pub propagation: Propagation,
    /// The resolver keeps every answer for at least this time, whatever the record's TTL is, as some resolvers between
    /// applications and Route 53 do.
    pub minimum_ttl: Duration,
    /// How late a schedule fires (AWS: up to 60 s).
    pub schedule_lateness: Duration,
    /// What the servers' promises are worth.
    pub durability: Durability,
    /// Whose templates the servers are made of, which then also say what promises are worth; none makes its own.
    pub templates_of: Option<Servers>,
    /// Faults planned from the start.
    pub faults: Vec<Fault>,
    /// Faults of DMS's tasks planned from the start.
    pub dms_faults: Vec<local_aws_dms::Fault>,
    /// Whether Step Functions is there; its interpreter takes a second or two to start.
    pub step_functions: bool,
    /// Who may do what, beside the policies of deployed functions.
    pub authorize: Option<Arc<dyn Authorize>>,
    /// Leave the scratch folder (logs, data) where it is at the end.
    pub keep: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            time_scale: 0.01,
            real_waits: Vec::new(),
            port: 0,
            dns_port: 0,
            propagation: Propagation::Fixed(Duration::from_secs(1)),
            minimum_ttl: Duration::ZERO,
            schedule_lateness: Duration::ZERO,
            durability: Durability::default(),
            templates_of: None,
            faults: Vec::new(),
            dms_faults: Vec::new(),
            step_functions: true,
            authorize: None,
            keep: false,
        }
    }
}
