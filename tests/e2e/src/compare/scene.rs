//! What our own drivers work on: the stage of a rehearsal with the same source and the same clients, without pgleap.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use local_aws::LocalAws;

use super::trial::{Measured, is_compared};
use super::way::Way;
use super::{dms, in_place, read_only};
use crate::cast::{await_first_writes, fill};
use crate::cli::RunArguments;
use crate::clients::{Clients, Kind, Observed, OwnTables, Timeline, Way as ClientsWay};
use crate::follow::HostSource;
use crate::observer::connect;
use crate::proof::{self, Addresses};
use crate::report::ClientsReport;
use crate::run::{interrupted, start, stop};
use crate::screen::Screen;
use crate::stage::{RECORD, SOURCE, Source, Stage};

/// Clients go on this long after the last command.
const AFTERWARDS: Duration = Duration::from_secs(3);

/// A source with clients, and what an operator has besides.
pub(super) struct Scene {
    pub(super) stage: Stage,
    pub(super) source: Source,
    pub(super) zone_id: String,
    /// Major version of the source.
    pub(super) from: u16,
    /// Major version to reach.
    pub(super) to: u16,
    kinds: Vec<Kind>,
    own: Arc<OwnTables>,
    clients: Clients,
}

/// Measure one of the ways that are not pgleap's. The servers are stopped whatever happens.
pub(super) async fn measure(way: Way, arguments: &RunArguments) -> Result<Measured> {
    let screen = Screen::new();
    let aws = start(arguments, &screen).await?;
    let ended = tokio::select! {
        ended = on_stage(way, arguments, Arc::clone(&aws), &screen) => ended,
        () = interrupted() => Err(anyhow::anyhow!("interrupted")),
    };
    stop(aws).await;
    screen.finish();
    ended
}

async fn on_stage(way: Way, arguments: &RunArguments, aws: Arc<LocalAws>, screen: &Screen) -> Result<Measured> {
    let scene = Scene::set(arguments, aws, screen).await?;
    screen.doing(&format!("going the way {way}"));
    let began = Instant::now();
    let done = match way {
        Way::InPlace => in_place::drive(&scene).await,
        Way::ReadOnlySwitch => read_only::drive(&scene, screen).await,
        Way::DmsByHand => dms::drive(&scene, screen).await,
        _ => bail!("{way} is one of pgleap's ways"),
    };
    let target = done.with_context(|| format!("go the way {way}"))?;
    scene.conclude(target, began.elapsed()).await
}

impl Scene {
    async fn set(arguments: &RunArguments, aws: Arc<LocalAws>, screen: &Screen) -> Result<Self> {
        let stage = Stage::new(aws)?;
        screen.doing("creating the source instance");
        let source = stage.create_source(arguments.from, None, false).await?;
        let cast = fill(arguments, &stage, &source, screen).await?;
        let zone_id = stage.create_record(&source).await?;
        stage.aws().zones().set_propagation(arguments.propagation);
        let way = ClientsWay {
            names: stage.names(),
            connector: stage.connector(&source)?,
            host: HostSource::Name(RECORD.to_owned()),
        };
        let clients = Clients::start(&cast.crew(arguments), &way);
        await_first_writes(&clients).await?;
        let kinds = cast.members.iter().map(|(kind, _, _)| *kind).collect();
        Ok(Self { stage, source, zone_id, from: arguments.from, to: arguments.to, kinds, own: cast.own, clients })
    }

    /// Stop the clients and hold what they were promised against the instance that serves: the target, or the source in its
    /// new version.
    async fn conclude(self, target: Option<String>, took: Duration) -> Result<Measured> {
        tokio::time::sleep(AFTERWARDS).await;
        let addresses = self.addresses(target.as_deref()).await?;
        let Self { stage, kinds, own, clients, .. } = self;
        let observed = clients.stop().await;
        let client = connect(&stage.access(target.as_deref().unwrap_or(SOURCE))).await?;
        let clients = proof::of_clients(&observed, (&observed.together, addresses), &kinds, &own, &client).await?;
        Ok(measured(&observed, addresses, clients, took))
    }

    async fn addresses(&self, target: Option<&str>) -> Result<Addresses> {
        let source = self.stage.names().resolve(&self.source.host).await?.address;
        let target = match target {
            Some(id) => Some(self.stage.names().resolve(&self.host_of(id).await?).await?.address),
            None => None,
        };
        Ok(Addresses { source, target })
    }

    /// Host name of an instance's endpoint.
    pub(super) async fn host_of(&self, id: &str) -> Result<String> {
        let instance = self.stage.instance(id).await?;
        let host = instance.as_ref().and_then(|instance| instance.endpoint()?.address());
        Ok(host.with_context(|| format!("instance {id} has no endpoint"))?.to_owned())
    }
}

fn measured(observed: &Observed, addresses: Addresses, clients: ClientsReport, took: Duration) -> Measured {
    let outages = |visits| -> Vec<f64> {
        let of_kind = observed.each.iter().filter(|one| one.visits == visits);
        of_kind.filter_map(|one| outage(one, addresses)).collect()
    };
    let (connected_seconds, visiting_seconds) = (outages(false), outages(true));
    let missing = observed.each.len() - connected_seconds.len() - visiting_seconds.len();
    let mut notes = Vec::new();
    if missing > 0 {
        notes.push(format!("{missing} clients did not write to both sides and have no outage"));
    }
    if clients.acknowledged_on_both_sides {
        notes.push("the source acknowledged writes after the target had begun to".to_owned());
    }
    let together = &observed.together;
    let broken = clients.invariants.into_iter().filter(|one| !one.holds && is_compared(&one.name));
    let refusals = |server: Ipv4Addr| together.refused_at(server).len() as u64;
    Measured {
        connected_seconds,
        visiting_seconds,
        other_gap_seconds: addresses.target.and(together.longest_gap).map(|(seconds, _)| seconds),
        acknowledged: clients.acknowledged,
        lost: clients.lost,
        duplicated: clients.duplicated,
        broken_invariants: broken.map(|one| one.name).collect(),
        faults: clients.faults,
        refusals: refusals(addresses.source) + addresses.target.map_or(0, refusals),
        failed_attempts: clients.failed_attempts,
        seconds: took.as_secs_f64(),
        observer_seconds: 0.0,
        notes,
    }
}

/// From a client's last write on the source to its first on the target; without a target its longest gap.
fn outage(client: &Timeline, addresses: Addresses) -> Option<f64> {
    match addresses.target {
        Some(target) => client.outage(addresses.source, target),
        None => client.longest_gap.map(|(seconds, _)| seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
    const TARGET: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

    fn observed(writes: &[(Ipv4Addr, f64)]) -> Observed {
        let mut one = Timeline::default();
        writes.iter().for_each(|(server, at)| one.acknowledge(*server, *at));
        Observed {
            together: Timeline::merge([&one]),
            each: vec![one],
            ledger: crate::clients::Ledger::default(),
            faults: std::collections::BTreeMap::new(),
            reconnects: 0,
            failed_attempts: 0,
            own_writes: std::collections::BTreeMap::new(),
        }
    }

    fn seen(writes: &[(Ipv4Addr, f64)], target: Option<Ipv4Addr>) -> Measured {
        let addresses = Addresses { source: SOURCE, target };
        measured(&observed(writes), addresses, ClientsReport::default(), Duration::from_secs(1))
    }

    #[test]
    fn in_place_the_outage_is_the_longest_gap_and_else_the_way_to_the_target() {
        let in_place = seen(&[(SOURCE, 1.0), (SOURCE, 2.0), (SOURCE, 7.0)], None);
        let moved = seen(&[(SOURCE, 1.0), (SOURCE, 4.0), (TARGET, 6.0)], Some(TARGET));

        assert_eq!((in_place.connected_seconds, in_place.other_gap_seconds), (vec![5.0], None));
        assert_eq!((moved.connected_seconds, moved.other_gap_seconds), (vec![2.0], Some(3.0)));
    }

    #[test]
    fn a_client_that_never_reached_the_target_is_named() {
        let stayed = seen(&[(SOURCE, 1.0), (SOURCE, 4.0)], Some(TARGET));

        assert_eq!(stayed.connected_seconds, Vec::<f64>::new());
        assert_eq!(stayed.notes, ["1 clients did not write to both sides and have no outage"]);
    }
}
