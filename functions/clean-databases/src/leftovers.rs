//! What a run leaves in a database, and how its owner removes it.

use pgleap_contract::steps::NoOutput;
use pgleap_contract::{Names, Run, RunId};
use pgleap_pg::{Session, ident, qualified};
use pgleap_step_kit::{Polled, StepResult};

/// Whose database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// It serves again, as before the run.
    ServingSource,
    /// It was left; nobody writes to it any more.
    RetiredSource,
    /// It serves now.
    Target,
}

/// Remove everything of the run. Not done while a slot is still in use. A schema that another run, or somebody
/// else, has made is left with all that belongs to it: a second run of a source that is refused comes this way too, while
/// the first one needs its marker, its slot, its fence.
pub(crate) async fn remove(owner: &Session, run: &Run, side: Side) -> StepResult<Polled<NoOutput>> {
    let names = run.id.names();
    let logins = [names.copy_login(), names.back_login(), names.work_login()];
    // Clients of the side that serves must not queue behind a lock that this step waits for.
    owner.run("limit the wait for locks", "SET lock_timeout = '1s'").await?;
    let holds_schema = !is_schema_of_others(owner, &run.id).await?;
    // A published table whose old rows cannot be told apart refuses its applications' updates: so first who reads, then the
    // publication, and the replica identities last.
    // On one side the copy engine's, on the other the fail-back path's.
    let streams = [names.copy_login(), names.back_login()];
    if holds_schema {
        for stream in &streams {
            drop_subscription(owner, stream).await?;
        }
    }
    if holds_schema && side != Side::Target && run.purpose.is_upgrade() {
        let busy = drop_slots(owner).await?;
        if !busy.is_empty() {
            return Ok(Polled::Waiting(format!("replication slots are still in use: {}", busy.join(", "))));
        }
    }
    if holds_schema {
        for stream in &streams {
            let publication = format!("DROP PUBLICATION IF EXISTS {}", ident(stream));
            owner.run("drop the run's publication", &publication).await?;
        }
    }
    if holds_schema && side != Side::RetiredSource {
        restore_replica_identities(owner).await?;
    }
    for login in &logins {
        end_sessions(owner, login).await?;
        drop_owned(owner, login).await?;
    }
    let control = format!("DROP SCHEMA IF EXISTS {} CASCADE", ident(Names::CONTROL_SCHEMA));
    if holds_schema {
        owner.run("drop the engine's schema", &control).await?;
    }
    for login in &logins {
        owner.run("drop the run's login", &format!("DROP ROLE IF EXISTS {}", ident(login))).await?;
    }
    owner.run("drop the run's keys", &format!("DROP ROLE IF EXISTS {}", ident(&names.keys_role()))).await?;
    if holds_schema {
        // Last, because the outcome of the cutover is in it.
        let schema = format!("DROP SCHEMA IF EXISTS {} CASCADE", ident(Names::SCHEMA));
        owner.run("drop the run's schema", &schema).await?;
    }
    Ok(Polled::Done(NoOutput {}))
}

/// Tables without a key log whole rows or an index for the run; what they logged before is in the run's schema, which the copy
/// has too.
async fn restore_replica_identities(owner: &Session) -> StepResult<()> {
    if !exists(owner, "pgleap.replica_identity_before").await? {
        return Ok(());
    }
    let sql = "SELECT b.schema_name::text, b.table_name::text, b.identity::text, b.index_name::text
               FROM pgleap.replica_identity_before b
               JOIN pg_namespace n ON n.nspname = b.schema_name
               JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = b.table_name
               LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisreplident
               LEFT JOIN pg_class x ON x.oid = i.indexrelid
               WHERE c.relreplident <> b.identity OR x.relname IS DISTINCT FROM b.index_name";
    for row in owner.rows("read replica identities", sql, &[]).await? {
        let table = qualified(row.get(0), row.get(1));
        let identity = identity_clause(row.get(2), row.get(3));
        owner.run("restore replica identity", &format!("ALTER TABLE {table} REPLICA IDENTITY {identity}")).await?;
    }
    Ok(())
}

/// `pg_class.relreplident` as ALTER TABLE spells it.
fn identity_clause(identity: &str, index: Option<&str>) -> String {
    match (identity, index) {
        // An index that was gone before the run: then nothing was logged.
        ("n", _) | ("i", None) => "NOTHING".to_owned(),
        ("i", Some(index)) => format!("USING INDEX {}", ident(index)),
        ("f", _) => "FULL".to_owned(),
        _ => "DEFAULT".to_owned(),
    }
}

/// Without its slot: that is the source's, which may be gone.
async fn drop_subscription(owner: &Session, name: &str) -> StepResult<()> {
    let sql = "SELECT EXISTS (SELECT FROM pg_subscription s WHERE s.subname = $1::text::name
                   AND s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))";
    if owner.row("look for the run's subscription", sql, &[&name]).await?.get(0) {
        // It belongs to the login of the same name.
        let name = ident(name);
        let drop = format!(
            "GRANT {name} TO CURRENT_USER; ALTER SUBSCRIPTION {name} DISABLE;
             ALTER SUBSCRIPTION {name} SET (slot_name = NONE); DROP SUBSCRIPTION {name}"
        );
        owner.run("drop the run's subscription", &drop).await?;
    }
    Ok(())
}

/// Preflight refused foreign slots in this database, so a logical slot in it is the run's. The engine has dropped its
/// own; this is for the one that it could not.
async fn drop_slots(owner: &Session) -> StepResult<Vec<String>> {
    let ours = "slot_type = 'logical' AND plugin IN ('test_decoding', 'pgoutput') AND database = current_database()";
    owner
        .run(
            "drop slots",
            &format!(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND {ours}"
            ),
        )
        .await?;
    let left =
        owner.rows("look for slots", &format!("SELECT slot_name FROM pg_replication_slots WHERE {ours}"), &[]).await?;
    Ok(left.iter().map(|row| row.get(0)).collect())
}

async fn end_sessions(owner: &Session, login: &str) -> StepResult<()> {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 AND pid <> pg_backend_pid()";
    owner.rows("end the run's sessions", sql, &[&login]).await?;
    Ok(())
}

/// The owner made the login and so may become a member of it (with ADMIN OPTION from 16 on); a member may drop what
/// it owns and what was granted to it, in this database and on shared objects.
async fn drop_owned(owner: &Session, login: &str) -> StepResult<()> {
    let there: bool = owner
        .row("look for the run's login", "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", &[&login])
        .await?
        .get(0);
    if there {
        let login = ident(login);
        owner.run("become a member of the run's login", &format!("GRANT {login} TO CURRENT_USER")).await?;
        owner.run("drop what the run's login owns", &format!("DROP OWNED BY {login} CASCADE")).await?;
    }
    Ok(())
}

/// A run's schema is born with the row that says whose it is; one without a row of ours is not ours.
async fn is_schema_of_others(owner: &Session, run: &RunId) -> StepResult<bool> {
    let is_there = "SELECT to_regnamespace('pgleap') IS NOT NULL";
    if !owner.row("look for schema pgleap", is_there, &[]).await?.get::<_, bool>(0) {
        return Ok(false);
    }
    if !exists(owner, "pgleap.run").await? {
        return Ok(true);
    }
    let is_ours = "SELECT EXISTS (SELECT FROM pgleap.run WHERE id = $1)";
    let is_ours: bool = owner.row("read the owner of schema pgleap", is_ours, &[&run.as_str()]).await?.get(0);
    Ok(!is_ours)
}

async fn exists(owner: &Session, relation: &str) -> StepResult<bool> {
    Ok(owner.row("look for a table", "SELECT to_regclass($1) IS NOT NULL", &[&relation]).await?.get(0))
}
