//! A few facts about login, server and neighbours, gathered once for the checks that are plain functions.

use pgleap_contract::Run;
use pgleap_contract::steps::{DatabaseSize, OnSource, Selection};
use pgleap_pg::{PgError, Session, fingerprint};
use pgleap_step_kit::prelude::*;
use tokio_postgres::Row;

const FACTS: &str = include_str!("facts.sql");
const DATABASES: &str = include_str!("databases.sql");
const SHORT_LIVED_ROLES: &str = include_str!("checks/short_lived_roles.sql");

/// How many other databases are looked into.
const LOOKED_INTO: usize = 20;

/// Everything that the pure checks judge.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) run: Run,
    pub(crate) major: i32,
    pub(crate) database: String,
    pub(crate) login: LoginRights,
    pub(crate) server: ServerLimits,
    pub(crate) others: Vec<OtherDatabase>,
    /// Schemas of this database, system ones aside.
    pub(crate) schemas: Vec<String>,
    pub(crate) size: DatabaseSize,
    /// Lengths of the lists that the task's mapping will hold.
    pub(crate) lists: Lists,
    pub(crate) large_objects: i64,
    pub(crate) prepared_transactions: i64,
    pub(crate) event_triggers: Vec<String>,
    pub(crate) publications: Vec<String>,
    pub(crate) subscriptions: Vec<String>,
    /// Logical slots: name, plugin and who reads them.
    pub(crate) slots: Vec<String>,
    /// Things that have a name of the run.
    pub(crate) leftovers: Vec<String>,
    /// Roles that may come and go, but for those that the run ignores.
    pub(crate) short_lived_roles: Vec<ShortLivedRole>,
}

/// What distinguishes a role that a tool creates and drops from others. Times in seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ShortLivedRole {
    pub(crate) name: String,
    /// Until its VALID UNTIL, if that is to come and the role may log in.
    pub(crate) expires_in: Option<f64>,
    /// Since the moment that its name holds, if it is named as Vault names a lease.
    pub(crate) issued_ago: Option<f64>,
    /// A user that Teleport provisioned.
    pub(crate) of_teleport: bool,
}

/// What the login of the input may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LoginRights {
    pub(crate) name: String,
    /// Owner of the database, or a member of its owner.
    pub(crate) owns_database: bool,
    pub(crate) database_owner: String,
    /// May create schemas in the database.
    pub(crate) may_create_schema: bool,
    pub(crate) may_create_roles: bool,
    /// May end sessions of other roles.
    pub(crate) may_end_sessions: bool,
    /// Sees what other roles' sessions do.
    pub(crate) may_see_sessions: bool,
    /// May set a role's password.
    pub(crate) may_set_passwords: bool,
    /// The role `rds_replication` exists and may be granted.
    pub(crate) may_grant_replication: bool,
    /// May let another login set `session_replication_role`.
    pub(crate) may_grant_replica_role: bool,
    /// May create a subscription, on RDS.
    pub(crate) may_subscribe: bool,
    /// May make another login a member of `rds_superuser`.
    pub(crate) may_grant_superuser: bool,
}

/// Limits of the server, and how much of them is used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServerLimits {
    pub(crate) wal_level: String,
    pub(crate) max_replication_slots: i64,
    pub(crate) slots_used: i64,
    pub(crate) max_wal_senders: i64,
    pub(crate) senders_used: i64,
    /// In MB; -1: no limit.
    pub(crate) max_slot_wal_keep_size: i64,
    /// `idle_replication_slot_timeout` (18 and later) in seconds; 0: never.
    pub(crate) idle_slot_seconds: i64,
    pub(crate) max_worker_processes: i64,
    /// Processes that count towards it, parallel workers aside.
    pub(crate) background_workers: i64,
    pub(crate) max_logical_replication_workers: i64,
    /// How many replication origins may be in use at the same time.
    pub(crate) max_origins: i64,
    /// Subscriptions of all databases.
    pub(crate) all_subscriptions: i64,
    /// How many objects one transaction may lock at the same time, as the server promises it.
    pub(crate) lock_room: i64,
    /// Tables of every schema, which the upgrade locks in one transaction.
    pub(crate) tables_to_lock: i64,
}

/// Another database of the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherDatabase {
    pub(crate) name: String,
    /// A broken CREATE or DROP DATABASE left it behind.
    pub(crate) invalid: bool,
    /// Tables of users in it; `None`: they were not counted, or the login cannot connect.
    pub(crate) tables: Option<i64>,
}

/// How long the lists of the task's mapping will be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lists {
    pub(crate) schemas: i64,
    pub(crate) excluded_tables: i64,
    pub(crate) removed_columns: i64,
}

impl Lists {
    pub(crate) const LONGEST: i64 = Selection::LONGEST as i64;
}

/// Gather them.
pub(crate) async fn gather(ctx: &Ctx, input: &OnSource, session: &Session) -> StepResult<Facts> {
    let run = &input.run;
    let names = run.names();
    let roles = [names.work_login(), names.copy_login()];
    let row = session.row("gather facts", FACTS, &[&run.choices.as_of_snapshot_schemas, &&roles[..]]).await?;
    let mut others = others(session).await?;
    for other in
        others.iter_mut().filter(|other| !run.choices.as_of_snapshot_databases.contains(&other.name)).take(LOOKED_INTO)
    {
        other.tables = tables_in(ctx, input, &other.name).await;
    }
    let mut facts = read(&row, run, others);
    facts.short_lived_roles = short_lived_roles(session, &run.choices.ignored_roles).await?;
    facts.login.may_grant_replica_role = may_grant_replica_role(session, facts.major).await?;
    Ok(facts)
}

/// Rights on settings exist from 15 on; before, only a superuser sets this one.
async fn may_grant_replica_role(session: &Session, major: i32) -> StepResult<bool> {
    if major < 15 {
        return Ok(false);
    }
    let ask = "SELECT has_parameter_privilege('session_replication_role', 'SET WITH GRANT OPTION')";
    Ok(session.row("look who may set session_replication_role", ask, &[]).await?.get(0))
}

fn read(row: &Row, run: &Run, others: Vec<OtherDatabase>) -> Facts {
    let count = |name: &str| row.get::<_, i64>(name);
    Facts {
        run: run.clone(),
        major: row.get("major"),
        database: row.get("database"),
        login: LoginRights {
            name: row.get("login"),
            owns_database: row.get("owns_database"),
            database_owner: row.get("database_owner"),
            may_create_schema: row.get("may_create_schema"),
            may_create_roles: row.get("may_create_roles"),
            may_end_sessions: row.get("may_end_sessions"),
            may_see_sessions: row.get("may_see_sessions"),
            may_set_passwords: row.get("may_set_passwords"),
            may_grant_replication: row.get("may_grant_replication"),
            may_grant_replica_role: false,
            may_subscribe: row.get("may_subscribe"),
            may_grant_superuser: row.get("may_grant_superuser"),
        },
        server: ServerLimits {
            wal_level: row.get("wal_level"),
            max_replication_slots: count("max_replication_slots"),
            slots_used: count("slots_used"),
            max_wal_senders: count("max_wal_senders"),
            senders_used: count("senders_used"),
            max_slot_wal_keep_size: count("max_slot_wal_keep_size"),
            idle_slot_seconds: count("idle_slot_seconds"),
            max_worker_processes: count("max_worker_processes"),
            background_workers: count("background_workers"),
            max_logical_replication_workers: count("max_logical_replication_workers"),
            max_origins: count("max_origins"),
            all_subscriptions: count("all_subscriptions"),
            lock_room: count("lock_room"),
            tables_to_lock: count("tables_to_lock"),
        },
        others,
        schemas: row.get("schemas"),
        size: DatabaseSize {
            tables: count("tables").unsigned_abs(),
            bytes: count("bytes").unsigned_abs(),
            sequences: count("sequences").unsigned_abs(),
        },
        lists: Lists {
            schemas: count("carried_schemas"),
            excluded_tables: count("excluded_tables"),
            removed_columns: count("removed_columns"),
        },
        large_objects: count("large_objects"),
        prepared_transactions: count("prepared_transactions"),
        event_triggers: row.get("event_triggers"),
        publications: row.get("publications"),
        subscriptions: row.get("subscriptions"),
        slots: row.get("slots"),
        leftovers: row.get("leftovers"),
        short_lived_roles: Vec::new(),
    }
}

async fn short_lived_roles(session: &Session, ignored: &[String]) -> Result<Vec<ShortLivedRole>, PgError> {
    let patterns: Vec<String> = ignored.iter().map(|pattern| fingerprint::like(pattern)).collect();
    let rows = session.rows("look for short-lived roles", SHORT_LIVED_ROLES, &[&patterns]).await?;
    let read = |row: &Row| ShortLivedRole {
        name: row.get("name"),
        expires_in: row.get("expires_in"),
        issued_ago: row.get("issued_ago"),
        of_teleport: row.get("of_teleport"),
    };
    Ok(rows.iter().map(read).collect())
}

async fn others(session: &Session) -> Result<Vec<OtherDatabase>, PgError> {
    let rows = session.rows("list databases", DATABASES, &[]).await?;
    Ok(rows.iter().map(|row| OtherDatabase { name: row.get(0), invalid: row.get(1), tables: None }).collect())
}

/// RDS creates every instance with an empty database `postgres`: an empty neighbour is no problem.
async fn tables_in(ctx: &Ctx, input: &OnSource, database: &str) -> Option<i64> {
    let server = Server { database: database.to_owned(), ..input.source.clone() };
    let session = ctx.as_owner(&input.run, &server).await.ok()?;
    let count = "SELECT (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                         WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
                           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')) \
                      + (SELECT count(*) FROM pg_largeobject_metadata)";
    session.row(&format!("look into database {database}"), count, &[]).await.ok().map(|row| row.get(0))
}
