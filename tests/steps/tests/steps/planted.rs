//! Forty things that can be wrong with a database, as the one list of them, and a database with none.

use anyhow::{Context, Result};
use step_tests::{DATABASE, SOURCE, World};

/// Who plants.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Owner,
    /// RDS's own superuser, for what a customer's login cannot do to plain PostgreSQL.
    Admin,
    /// Statements of the superuser that no transaction may hold, and of which one may fail: that is how it is planted.
    AdminOneByOne,
}

/// A defect: the check that finds it, what the finding must mention, the majors that can have it, and how it gets in.
pub(crate) struct Defect {
    pub(crate) check: &'static str,
    pub(crate) mentions: &'static str,
    pub(crate) majors: std::ops::RangeInclusive<u16>,
    by: By,
    sql: &'static str,
}

const fn defect(check: &'static str, mentions: &'static str, by: By, sql: &'static str) -> Defect {
    Defect { check, mentions, majors: 13..=17, by, sql }
}

const fn of(defect: Defect, from: u16, to: u16) -> Defect {
    Defect { majors: from..=to, ..defect }
}

use By::{Admin, AdminOneByOne, Owner};

/// The application whose transaction is open.
pub(crate) const OPEN_SINCE: &str = "open since this morning";
const AGE_TRANSACTION: &str = "\
    SET allow_system_table_mods = on; \
    DO $do$ DECLARE columns text; BEGIN \
        SELECT string_agg(CASE attname WHEN 'xact_start' THEN \
                   $c$CASE s.application_name WHEN 'open since this morning' THEN s.xact_start - interval '1 hour' ELSE s.xact_start END$c$ \
               ELSE 's.' || attname END || ' AS ' || attname, ', ' ORDER BY attnum) \
        INTO columns FROM pg_attribute WHERE attrelid = 'pg_catalog.pg_stat_activity'::regclass AND attnum > 0; \
        EXECUTE format('CREATE OR REPLACE VIEW pg_catalog.pg_stat_activity AS SELECT %s FROM (%s) AS s', columns, \
                       rtrim(pg_get_viewdef('pg_catalog.pg_stat_activity'::regclass), ';')); \
    END $do$";

pub(crate) const DEFECTS: &[Defect] = &[
    // Who may what.
    defect(
        "table-owner",
        "public.theirs",
        Admin,
        "CREATE ROLE other_owner; CREATE TABLE public.theirs (id int PRIMARY KEY); ALTER TABLE public.theirs OWNER TO other_owner",
    ),
    defect(
        "schema-owner",
        "schema foreign_ground",
        Admin,
        "CREATE SCHEMA foreign_ground AUTHORIZATION other_owner; CREATE TABLE foreign_ground.t (id int PRIMARY KEY); ALTER TABLE foreign_ground.t OWNER TO orders_admin",
    ),
    // From 14 on the master reads everything by rds_superuser.
    of(
        defect(
            "table-privilege",
            "public.unreadable",
            Owner,
            "CREATE TABLE public.unreadable (id int PRIMARY KEY, n numeric); REVOKE ALL ON public.unreadable FROM orders_admin",
        ),
        13,
        13,
    ),
    of(
        defect(
            "replica-role",
            "session_replication_role",
            Admin,
            "REVOKE SET ON PARAMETER session_replication_role FROM rds_superuser CASCADE",
        ),
        15,
        17,
    ),
    // Leftovers.
    defect("names-in-use", "schema pgleap", Owner, "CREATE SCHEMA pgleap"),
    defect(
        "dms-leftover",
        "public.awsdms_ddl_audit",
        Owner,
        "CREATE TABLE public.awsdms_ddl_audit (c_key bigserial PRIMARY KEY)",
    ),
    // The server and who else is on it.
    defect("other-database", "billing", AdminOneByOne, "CREATE DATABASE billing"),
    defect(
        "invalid-database",
        "database broken",
        AdminOneByOne,
        "CREATE DATABASE broken; UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'broken'",
    ),
    defect("accepted-but-unknown", "no_such_schema", Owner, ""),
    defect(
        "subscription",
        "incoming",
        Admin,
        "CREATE SUBSCRIPTION incoming CONNECTION 'host=elsewhere' PUBLICATION feed WITH (connect = false)",
    ),
    defect(
        "publication",
        "outgoing",
        Owner,
        "CREATE TABLE public.published (id int PRIMARY KEY); CREATE PUBLICATION outgoing FOR TABLE public.published",
    ),
    defect(
        "slot-in-use",
        "debezium (test_decoding, nobody reads it now)",
        Owner,
        "SELECT pg_create_logical_replication_slot('debezium', 'test_decoding')",
    ),
    defect(
        "slot-may-be-lost",
        "1000 MB",
        AdminOneByOne,
        "ALTER SYSTEM SET max_slot_wal_keep_size = '1000MB'; SELECT pg_reload_conf()",
    ),
    defect(
        "wraparound-age",
        "database ancient",
        AdminOneByOne,
        "CREATE DATABASE ancient; UPDATE pg_database SET datfrozenxid = '3094967296' WHERE datname = 'ancient'",
    ),
    defect(
        "database-setting",
        "session_replication_role=local",
        Admin,
        "ALTER DATABASE orders SET session_replication_role = 'local'",
    ),
    defect(
        "scheduled-job",
        "pg_cron",
        Admin,
        "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) VALUES (99001, 'pg_cron', 10, 2200, false, '1.6')",
    ),
    defect(
        "event-trigger",
        "watch_ddl",
        Admin,
        "CREATE ROLE boss SUPERUSER; SET ROLE boss; CREATE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER watch_ddl ON ddl_command_end EXECUTE FUNCTION public.watch(); RESET ROLE",
    ),
    // The transaction is open from before the healthy look on; the server is made to say that it began earlier.
    defect("long-transaction", OPEN_SINCE, Admin, AGE_TRANSACTION),
    defect("application-as-owner", "application application", Owner, ""),
    defect(
        "extension-replicates",
        "pglogical.subscription",
        Owner,
        "CREATE SCHEMA pglogical; CREATE TABLE pglogical.subscription (sub_id int PRIMARY KEY);
         INSERT INTO pglogical.subscription VALUES (1)",
    ),
    defect("iam-login", "token_user", Owner, "CREATE ROLE token_user LOGIN; GRANT rds_iam TO token_user"),
    // What stops the upgrade of the copy.
    defect("database-closed", "database shut", AdminOneByOne, "CREATE DATABASE shut ALLOW_CONNECTIONS false"),
    defect("database-name", "odd'name", AdminOneByOne, "CREATE DATABASE \"odd'name\""),
    defect(
        "role-name",
        "pg_soon",
        Admin,
        "CREATE ROLE soon; UPDATE pg_authid SET rolname = 'pg_soon' WHERE rolname = 'soon'",
    ),
    defect(
        "short-lived-role",
        "named like the temporary logins that Vault",
        Admin,
        "DO $do$ BEGIN EXECUTE format('CREATE ROLE %I LOGIN VALID UNTIL %L', \
             'v-token-reader-A1b2C3d4E5f6G7h8I9j0-' || extract(epoch FROM now())::bigint, now() + interval '1 hour'); END $do$",
    ),
    defect(
        "short-lived-role",
        "roles alice@example.com: members of teleport-auto-user",
        Admin,
        "CREATE ROLE \"teleport-auto-user\"; CREATE ROLE \"alice@example.com\" LOGIN IN ROLE \"teleport-auto-user\"",
    ),
    defect(
        "short-lived-role",
        "roles nightly: expire (VALID UNTIL) within two days",
        Admin,
        "DO $do$ BEGIN EXECUTE format('CREATE ROLE nightly LOGIN VALID UNTIL %L', now() + interval '1 day'); END $do$",
    ),
    defect(
        "short-lived-role",
        "roles bob: expire (VALID UNTIL) within a week",
        Admin,
        "DO $do$ BEGIN EXECUTE format('CREATE ROLE bob LOGIN VALID UNTIL %L', now() + interval '6 days'); \
             CREATE ROLE carol LOGIN VALID UNTIL 'infinity'; \
             EXECUTE format('CREATE ROLE dora LOGIN VALID UNTIL %L', now() + interval '60 days'); END $do$",
    ),
    defect(
        "extension-stops-upgrade",
        "pg_repack",
        Admin,
        "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) VALUES (99002, 'pg_repack', 10, 2200, false, '1.5')",
    ),
    // Majors are skipped on the way to 18.
    of(
        defect(
            "extension-stops-upgrade",
            "postgis 3.0.0",
            Admin,
            "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) VALUES (99003, 'postgis', 10, 2200, false, '3.0.0')",
        ),
        13,
        16,
    ),
    defect("extension-outdated", "hstore 1.4", Admin, "CREATE EXTENSION hstore SCHEMA public VERSION '1.4'"),
    defect(
        "type-stops-upgrade",
        "left_behind.calls.f",
        Owner,
        "CREATE SCHEMA left_behind; CREATE TABLE left_behind.calls (f regprocedure[])",
    ),
    of(
        defect(
            "type-stops-upgrade",
            "left_behind.rights.acl",
            Owner,
            "CREATE TYPE left_behind.right AS (acl aclitem); CREATE TABLE left_behind.rights (acl left_behind.right)",
        ),
        13,
        15,
    ),
    of(
        defect(
            "view-on-gone-column",
            "view public.offsets reads pg_attribute.attcacheoff",
            Owner,
            "CREATE VIEW public.offsets AS SELECT attcacheoff FROM pg_attribute",
        ),
        13,
        17,
    ),
    defect("view-on-catalog", "view public.who", Owner, "CREATE VIEW public.who AS SELECT pid FROM pg_stat_activity"),
    of(
        defect(
            "postfix-operator",
            "public.~% (integer)",
            Owner,
            "CREATE FUNCTION public.half(int) RETURNS int LANGUAGE sql AS 'SELECT $1 / 2'; CREATE OPERATOR public.~% (LEFTARG = int, FUNCTION = public.half)",
        ),
        13,
        13,
    ),
    of(
        defect(
            "polymorphic-function",
            "public.collect(anyelement)",
            Owner,
            "CREATE AGGREGATE public.collect(anyelement) (SFUNC = array_append, STYPE = anyarray, INITCOND = '{}')",
        ),
        13,
        13,
    ),
    of(
        defect(
            "unknown-setting",
            "role reporting in database orders has the setting operator_precedence_warning",
            Admin,
            "CREATE ROLE reporting; ALTER ROLE reporting IN DATABASE orders SET operator_precedence_warning = on; \
             ALTER ROLE reporting SET \"app.tenant\" = 'x'",
        ),
        13,
        13,
    ),
    of(defect("unknown-setting", "app.my-tenant", Admin, "ALTER DATABASE orders SET \"app.my-tenant\" = 'x'"), 13, 13),
    of(
        defect(
            "encoding-conversion",
            "public.mine",
            Owner,
            "CREATE CONVERSION public.mine FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1",
        ),
        13,
        13,
    ),
    defect(
        "not-null-inheritance",
        "left_behind.child.a",
        Owner,
        "CREATE TABLE left_behind.parent (a int NOT NULL); CREATE TABLE left_behind.child () INHERITS (left_behind.parent); ALTER TABLE left_behind.child ALTER a DROP NOT NULL",
    ),
    // What DMS does not carry.
    defect("large-objects", "1 large objects", Owner, "SELECT lo_from_bytea(0, 'a large object')"),
    defect("table-without-key", "public.keyless has no primary key", Owner, "CREATE TABLE public.keyless (id int)"),
    defect(
        "table-without-key",
        "public.silent does not log its old rows",
        Owner,
        "CREATE TABLE public.silent (id int PRIMARY KEY); ALTER TABLE public.silent REPLICA IDENTITY NOTHING",
    ),
    defect(
        "generated-key",
        "public.doubled.twice",
        Owner,
        "CREATE TABLE public.doubled (n int, twice int GENERATED ALWAYS AS (n * 2) STORED PRIMARY KEY)",
    ),
    defect(
        "lob-without-key",
        "public.pile",
        Owner,
        "CREATE TABLE public.pile (body text); ALTER TABLE public.pile REPLICA IDENTITY FULL",
    ),
    defect(
        "lob-not-null",
        "public.notes.body",
        Owner,
        "CREATE DOMAIN public.present AS text NOT NULL; CREATE TABLE public.notes (id int PRIMARY KEY, body public.present)",
    ),
    defect("lob-not-null", "public.words.word", Owner, "CREATE TABLE public.words (word text PRIMARY KEY)"),
    defect(
        "lob-in-unique-index",
        "sold_once on public.tickets would refuse rows",
        Owner,
        "CREATE TABLE public.tickets (id int PRIMARY KEY, seat varchar(9), refund text); \
         CREATE UNIQUE INDEX sold_once ON public.tickets (seat) WHERE refund IS NULL",
    ),
    defect(
        "lob-in-partition-key",
        "public.regions.region",
        Owner,
        "CREATE TABLE public.regions (region text, id int) PARTITION BY LIST (region); \
         CREATE TABLE public.regions_eu PARTITION OF public.regions (PRIMARY KEY (id)) FOR VALUES IN ('eu')",
    ),
    defect(
        "row-not-comparable",
        "public.pins.p",
        Owner,
        "CREATE TABLE public.pins (p point); ALTER TABLE public.pins REPLICA IDENTITY FULL",
    ),
    defect(
        "row-security-forced",
        "public.forced",
        Owner,
        "CREATE ROLE pgleap_reader; CREATE TABLE public.forced (id int PRIMARY KEY); \
         ALTER TABLE public.forced ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; \
         CREATE POLICY readers ON public.forced FOR SELECT TO pgleap_reader USING (true)",
    ),
    defect(
        "row-security",
        "public.secretive",
        Owner,
        "CREATE TABLE public.secretive (id int PRIMARY KEY); ALTER TABLE public.secretive ENABLE ROW LEVEL SECURITY",
    ),
    defect(
        "inheritance",
        "public.mother",
        Owner,
        "CREATE TABLE public.mother (id int PRIMARY KEY); CREATE TABLE public.daughter (PRIMARY KEY (id)) INHERITS (public.mother)",
    ),
    defect(
        "names-by-case",
        "public.\"Twin\" and public.twin",
        Owner,
        "CREATE TABLE public.twin (id int PRIMARY KEY); CREATE TABLE public.\"Twin\" (id int PRIMARY KEY)",
    ),
    defect(
        "deferred-constraint",
        "public.patient",
        Owner,
        "CREATE TABLE public.patient (id int PRIMARY KEY, turn int UNIQUE DEFERRABLE INITIALLY DEFERRED)",
    ),
    // What the catalogs call valid and is not.
    defect(
        "orphaned-rows",
        "rows of public.child refer to rows that are not in public.parent (foreign key child_of)",
        Admin,
        "CREATE TABLE public.parent (a int, b int, PRIMARY KEY (a, b)); \
         CREATE TABLE public.child (id int PRIMARY KEY, a int, b int, CONSTRAINT child_of FOREIGN KEY (a, b) REFERENCES public.parent MATCH FULL); \
         ALTER TABLE public.parent OWNER TO orders_admin; ALTER TABLE public.child OWNER TO orders_admin; \
         SET session_replication_role = replica; INSERT INTO public.child VALUES (1, 1, 1); RESET session_replication_role",
    ),
    defect(
        "check-not-held",
        "constraint not_past of public.appointments",
        Owner,
        "CREATE TABLE public.appointments (id int PRIMARY KEY, due timestamptz CONSTRAINT not_past CHECK (due > clock_timestamp() - interval '10 ms')); \
         INSERT INTO public.appointments VALUES (1, clock_timestamp()), (2, NULL); SELECT pg_sleep(0.1)",
    ),
    defect(
        "check-not-held",
        "constraint fresh_only of domain public.fresh of column public.milk.at",
        Owner,
        "CREATE DOMAIN public.fresh AS timestamptz CONSTRAINT fresh_only CHECK (VALUE > clock_timestamp() - interval '10 ms'); \
         CREATE TABLE public.milk (id int PRIMARY KEY, at public.fresh); INSERT INTO public.milk VALUES (1, clock_timestamp()); SELECT pg_sleep(0.1)",
    ),
    defect(
        "view-not-refreshable",
        "materialized view public.shares cannot be refreshed: division by zero",
        Owner,
        "CREATE TABLE public.divisors (id int PRIMARY KEY, n int); INSERT INTO public.divisors VALUES (1, 1); \
         CREATE MATERIALIZED VIEW public.shares AS SELECT id, 1 / n AS share FROM public.divisors; UPDATE public.divisors SET n = 0",
    ),
    defect(
        "search-path",
        "generated column public.quarters.q cannot be computed",
        Owner,
        "CREATE SCHEMA hidden; CREATE FUNCTION hidden.halved(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n / 2'; \
         CREATE FUNCTION hidden.quarter(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN halved(halved(n)); END'; \
         CREATE TABLE public.quarters (id int PRIMARY KEY, n int, q int GENERATED ALWAYS AS (hidden.quarter(n)) STORED)",
    ),
    defect(
        "unique-over-coalesce",
        "maybe_once",
        Owner,
        "CREATE TABLE public.maybe (id int PRIMARY KEY, n int); CREATE UNIQUE INDEX maybe_once ON public.maybe (coalesce(n, 0))",
    ),
    defect("table-not-logged", "public.scratch", Owner, "CREATE UNLOGGED TABLE public.scratch (id int PRIMARY KEY)"),
    defect(
        "foreign-table",
        "public.far_away",
        Admin,
        "CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'far.example.com'); CREATE FOREIGN TABLE public.far_away (id int) SERVER far; ALTER FOREIGN TABLE public.far_away OWNER TO orders_admin",
    ),
    defect(
        "foreign-server-address",
        "10.1.2.3",
        Admin,
        "CREATE SERVER by_number FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '10.1.2.3')",
    ),
    defect(
        "extension-table",
        "public.of_hstore",
        Admin,
        "CREATE TABLE public.of_hstore (id int PRIMARY KEY); ALTER EXTENSION hstore ADD TABLE public.of_hstore",
    ),
    defect(
        "type-not-carried",
        "public.hosts.address",
        Owner,
        "CREATE TABLE public.hosts (id int PRIMARY KEY, address inet)",
    ),
    defect(
        "type-unproven",
        "public.spans.span",
        Owner,
        "CREATE TABLE public.spans (id int PRIMARY KEY, span interval)",
    ),
    defect(
        "value-not-carried",
        "public.measures.n",
        Owner,
        "CREATE TABLE public.measures (id int PRIMARY KEY, n numeric); INSERT INTO public.measures VALUES (1, 'NaN')",
    ),
    defect(
        "generated-value-differs",
        "public.priced.fee: 1 row(s), among them (id) = (7), contain",
        Owner,
        "CREATE FUNCTION public.fee(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2'; \
         CREATE TABLE public.priced (id int PRIMARY KEY, n int, fee int GENERATED ALWAYS AS (public.fee(n)) STORED); \
         INSERT INTO public.priced (id, n) VALUES (7, 10); \
         CREATE OR REPLACE FUNCTION public.fee(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 3'; \
         INSERT INTO public.priced (id, n) VALUES (8, 10)",
    ),
    defect(
        "lob-very-long",
        "public.films.film contains a value of 110 MB",
        Owner,
        "CREATE TABLE public.films (id int PRIMARY KEY, film bytea); INSERT INTO public.films VALUES (1, convert_to(repeat('x', 110000000), 'UTF8'))",
    ),
    // What the target would inherit.
    defect(
        "invalid-index",
        "public.twice_the_same",
        AdminOneByOne,
        "CREATE TABLE public.doublets (id int PRIMARY KEY, n int); INSERT INTO public.doublets VALUES (1, 1), (2, 1); ALTER TABLE public.doublets OWNER TO orders_admin; CREATE UNIQUE INDEX CONCURRENTLY twice_the_same ON public.doublets (n)",
    ),
    defect(
        "collation-version",
        "public.old_order",
        Admin,
        "CREATE COLLATION public.old_order (provider = libc, locale = 'C.UTF-8'); UPDATE pg_collation SET collversion = '1.0' WHERE collname = 'old_order'; CREATE TABLE public.sorted (id int PRIMARY KEY, name varchar(9) COLLATE public.old_order); ALTER TABLE public.sorted OWNER TO orders_admin",
    ),
    defect(
        "sequence-near-end",
        "public.narrow has used 95 %",
        Owner,
        "CREATE SEQUENCE public.narrow MAXVALUE 101; SELECT setval('public.narrow', 96)",
    ),
    defect(
        "sequence-near-end",
        "of 32767",
        Owner,
        "CREATE TABLE public.small (id smallint PRIMARY KEY); CREATE SEQUENCE public.wide OWNED BY public.small.id; SELECT setval('public.wide', 32000)",
    ),
    // Last, because a session after it would write nothing by itself.
    defect(
        "read-only-database",
        "database orders",
        Owner,
        "ALTER DATABASE orders SET default_transaction_read_only = on",
    ),
];

/// A database in which nothing is wrong, with something of everything that is carried.
pub(crate) const HEALTHY: &str = "\
    CREATE TABLE public.t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL, n numeric, at timestamptz, \
        v varchar, tags text[], doc jsonb, twice int GENERATED ALWAYS AS (length(body) * 2) STORED); \
    INSERT INTO public.t (body, n, at, v) SELECT 'x', n / 3.0, now(), 'y' FROM generate_series(1, 1000) n; \
    CREATE TABLE public.parted (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day); \
    CREATE TABLE public.parted_1 PARTITION OF public.parted FOR VALUES FROM ('2026-01-01') TO ('2027-01-01'); \
    CREATE INDEX ON public.parted (day); CREATE VIEW public.v AS SELECT id FROM public.t; \
    CREATE MATERIALIZED VIEW public.m AS SELECT count(*) FROM public.t; CREATE SEQUENCE public.s; SELECT nextval('public.s')";

/// Let it in.
pub(crate) async fn plant(world: &World, defect: &Defect) -> Result<()> {
    let name = format!("plant {} ({})", defect.check, defect.mentions);
    match defect.by {
        Owner => world.owner().await?.run(&name, defect.sql).await.context(name),
        Admin => world.rdsadmin(SOURCE, DATABASE).await?.batch_execute(defect.sql).await.context(name),
        AdminOneByOne => {
            let admin = world.rdsadmin(SOURCE, DATABASE).await?;
            for statement in defect.sql.split("; ") {
                if let Err(error) = admin.batch_execute(statement).await {
                    assert!(statement.contains("CONCURRENTLY"), "{name}: {error}");
                }
            }
            Ok(())
        }
    }
}
