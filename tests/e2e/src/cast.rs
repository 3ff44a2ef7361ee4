//! Who is in a rehearsal: the rows of the source, and the clients that write.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::cli::RunArguments;
use crate::clients::{Clients, Crew, Kind, OwnTables};
use crate::connect::Login;
use crate::dump::{self, Destination, Restored};
use crate::fixture;
use crate::fixture::Size;
use crate::observer::connect;
use crate::rates::Pace;
use crate::screen::Screen;
use crate::stage::{DATABASE, SOURCE, Source, Stage, owner_login};
use crate::trouble::Trouble;

/// Writes that must be acknowledged before a run begins.
const WRITES_BEFORE: u64 = 100;

/// Who writes, and by whose right the fence is seen.
pub(crate) struct Cast {
    pub(crate) members: Vec<(Kind, Login, u32)>,
    pub(crate) size: Size,
    pub(crate) own: Arc<OwnTables>,
    pub(crate) watched_role: &'static str,
    pub(crate) pace: Pace,
    /// What became of the operator's dump, if there is one.
    pub(crate) restored: Option<Restored>,
}

impl Cast {
    /// The clients, as they are started.
    pub(crate) fn crew(&self, arguments: &RunArguments) -> Crew {
        Crew {
            members: self.members.clone(),
            tps: arguments.tps,
            visitors: arguments.visitors,
            size: self.size,
            own: Arc::clone(&self.own),
        }
    }
}

/// Until the clients have written enough for something to be lost.
pub(crate) async fn await_first_writes(clients: &Clients) -> Result<()> {
    let began = Instant::now();
    while clients.acknowledged() < WRITES_BEFORE {
        if began.elapsed() > Duration::from_secs(60) {
            bail!("the clients made only {} writes in 60 s: {:?}", clients.acknowledged(), clients.trouble());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

pub(crate) async fn fill(arguments: &RunArguments, stage: &Stage, source: &Source, screen: &Screen) -> Result<Cast> {
    let owner = owner_login(arguments.has_ordinary_owner());
    let client = stage.connect_as(source, &owner).await?;
    let size = Size::of_megabytes(arguments.megabytes);
    let Some(file) = &arguments.dump else {
        screen.doing(&format!("loading about {} MB into the source", arguments.megabytes));
        let began = Instant::now();
        fixture::load(&client, size).await?;
        let pace = Pace::of_fill(arguments.megabytes, began.elapsed());
        let login = |user: &str, password: &str| Login {
            user: user.to_owned(),
            password: password.to_owned(),
            database: DATABASE.to_owned(),
        };
        let mut members = vec![
            (Kind::App, login("shop_app", "app-of-the-rehearsal"), 8),
            (Kind::Owner, login("shop_owner", "owner-of-the-rehearsal"), 2),
        ];
        // A rotation of its password would shut these clients out, which is not what is rehearsed.
        if !arguments.faults.contains(&Trouble::Production) {
            members.push((Kind::Master, owner, 4));
        }
        if arguments.engine.as_deref() == Some("native") {
            fixture::load_wide(&client).await?;
            if arguments.fail_back.is_some() {
                fixture::let_old_server_follow(&client).await?;
            }
            members.push((Kind::Wide, login("shop_owner", "owner-of-the-rehearsal"), 2));
        }
        return Ok(Cast { members, size, own: Arc::default(), watched_role: "shop_app", pace, restored: None });
    };
    screen.doing(&format!("restoring {}", file.display()));
    let at = stage.names().resolve(&source.host).await?;
    let platform = connect(&stage.access(SOURCE)).await?;
    let restored = dump::restore(
        file,
        Destination {
            source,
            at: &at,
            authorities: stage.aws().ca_file(),
            login: &owner,
            platform: (!arguments.has_ordinary_owner()).then_some(&platform),
        },
    );
    let restored = restored.await?;
    restored.lines().iter().for_each(|line| screen.say(line));
    let own = OwnTables::find(&stage.connect_as(source, &owner).await?, arguments.key_updates).await?;
    screen.say(format!("clients write to {} tables of the dump", own.names().len()));
    own.not_written.iter().for_each(|table| screen.say(format!("  but not to {}: {}", table.table, table.reason)));
    dump::add_probe(&platform, &owner).await?;
    let members = dump::crew(&owner, !own.names().is_empty());
    let restored = Some(restored);
    Ok(Cast { members, size, own: Arc::new(own), watched_role: dump::WATCHED_ROLE, pace: Pace::UNKNOWN, restored })
}
