-- One row with the facts that the pure checks judge.
-- Reads: the catalogs, settings. Changes: nothing. $1: schemas that go live as of the snapshot; $2: the run's roles.
WITH spaces AS (
    SELECT n.oid, n.nspname FROM pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgleap', 'pgleap_copy')
), relations AS (
    SELECT c.oid, c.relkind, c.relpersistence, c.relnamespace, s.nspname,
           EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') AS of_extension
    FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace
    WHERE s.nspname <> ALL ($1::text[]) AND c.relkind IN ('r', 'p', 'f', 'S')
), carried AS (
    SELECT * FROM relations WHERE relkind = 'r' AND relpersistence = 'p' AND NOT of_extension
), limits AS (
    SELECT name, setting::bigint AS value FROM pg_settings
    WHERE name IN ('max_replication_slots', 'max_wal_senders', 'max_slot_wal_keep_size', 'idle_replication_slot_timeout',
                   'max_worker_processes', 'max_logical_replication_workers', 'max_active_replication_origins', 'max_locks_per_transaction', 'max_connections', 'max_prepared_transactions')
)
SELECT current_setting('server_version_num')::int / 10000 AS major,
       current_database()::text AS database,
       current_user::text AS login,
       pg_has_role(d.datdba, 'USAGE') AS owns_database,
       pg_get_userbyid(d.datdba)::text AS database_owner,
       has_database_privilege(d.oid, 'CREATE') AS may_create_schema,
       r.rolcreaterole OR r.rolsuper AS may_create_roles,
       -- Up to 15 CREATEROLE is enough to grant a role; from 16 it takes the ADMIN OPTION.
       EXISTS (SELECT FROM pg_roles p WHERE p.rolname = 'rds_replication'
               AND (pg_has_role(p.oid, 'USAGE WITH ADMIN OPTION')
                    OR r.rolcreaterole AND current_setting('server_version_num')::int < 160000)) AS may_grant_replication,
       r.rolsuper OR EXISTS (SELECT FROM pg_roles p WHERE p.rolname IN ('rds_superuser', 'pg_create_subscription')
                             AND pg_has_role(p.oid, 'MEMBER')) AS may_subscribe,
       -- On RDS only its members grant rds_superuser, and from 16 on only with the ADMIN OPTION.
       r.rolsuper OR EXISTS (SELECT FROM pg_roles p WHERE p.rolname = 'rds_superuser'
                             AND (pg_has_role(p.oid, 'MEMBER WITH ADMIN OPTION')
                                  OR current_setting('server_version_num')::int < 160000 AND r.rolcreaterole AND pg_has_role(p.oid, 'MEMBER'))) AS may_grant_superuser,
       pg_has_role('pg_signal_backend', 'USAGE') AS may_end_sessions,
       pg_has_role('pg_read_all_stats', 'USAGE') AS may_see_sessions,
       -- On RDS the setting may keep passwords to members of rds_password.
       coalesce(current_setting('rds.restrict_password_commands', true), '') NOT IN ('on', '1')
           OR EXISTS (SELECT FROM pg_roles p WHERE p.rolname = 'rds_password' AND pg_has_role(p.oid, 'USAGE')) AS may_set_passwords,
       current_setting('wal_level') AS wal_level,
       (SELECT value FROM limits WHERE name = 'max_replication_slots') AS max_replication_slots,
       (SELECT count(*) FROM pg_replication_slots) AS slots_used,
       (SELECT value FROM limits WHERE name = 'max_wal_senders') AS max_wal_senders,
       (SELECT count(*) FROM pg_stat_activity a WHERE a.backend_type = 'walsender') AS senders_used,
       coalesce((SELECT value FROM limits WHERE name = 'max_slot_wal_keep_size'), -1) AS max_slot_wal_keep_size,
       coalesce((SELECT value FROM limits WHERE name = 'idle_replication_slot_timeout'), 0) AS idle_slot_seconds,
       (SELECT value FROM limits WHERE name = 'max_worker_processes') AS max_worker_processes,
       -- Those that stay: parallel workers come and go.
       (SELECT count(*) FROM pg_stat_activity a
        WHERE a.backend_type NOT IN ('client backend', 'parallel worker', 'walsender', 'walreceiver', 'autovacuum launcher', 'autovacuum worker',
                                     'checkpointer', 'background writer', 'walwriter', 'walsummarizer', 'startup', 'archiver', 'logger',
                                     'slotsync worker', 'io worker')) AS background_workers,
       (SELECT value FROM limits WHERE name = 'max_logical_replication_workers') AS max_logical_replication_workers,
       -- From 18 on origins have a limit of their own.
       (SELECT value FROM limits WHERE name IN ('max_active_replication_origins', 'max_replication_slots') ORDER BY name LIMIT 1) AS max_origins,
       (SELECT count(*) FROM pg_subscription) AS all_subscriptions,
       -- What the documentation of max_locks_per_transaction promises.
       (SELECT (SELECT value FROM limits WHERE name = 'max_locks_per_transaction') * sum(value)::bigint
        FROM limits WHERE name IN ('max_connections', 'max_prepared_transactions')) AS lock_room,
       (SELECT count(*) FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't') AS tables_to_lock,
       ARRAY(SELECT nspname::text FROM spaces ORDER BY 1) AS schemas,
       (SELECT count(*) FROM carried) AS tables,
       pg_database_size(d.oid) AS bytes,
       (SELECT count(*) FROM relations WHERE relkind = 'S') AS sequences,
       (SELECT count(DISTINCT relnamespace) FROM carried) AS carried_schemas,
       (SELECT count(*) FROM relations c WHERE c.relkind IN ('r', 'p', 'f') AND c.oid NOT IN (SELECT oid FROM carried)
           AND c.relnamespace IN (SELECT relnamespace FROM carried)) AS excluded_tables,
       (SELECT count(*) FROM pg_attribute a JOIN carried c ON c.oid = a.attrelid WHERE a.attgenerated <> '' AND NOT a.attisdropped) AS removed_columns,
       (SELECT count(*) FROM pg_largeobject_metadata) AS large_objects,
       (SELECT count(*) FROM pg_prepared_xacts) AS prepared_transactions,
       ARRAY(SELECT e.evtname::text FROM pg_event_trigger e JOIN pg_roles o ON o.oid = e.evtowner
             WHERE o.rolname <> 'rdsadmin' ORDER BY 1) AS event_triggers,
       ARRAY(SELECT p.pubname::text FROM pg_publication p ORDER BY 1) AS publications,
       ARRAY(SELECT s.subname::text FROM pg_subscription s WHERE s.subdbid = d.oid ORDER BY 1) AS subscriptions,
       ARRAY(SELECT format('%s (%s, %s)', s.slot_name, s.plugin,
                           CASE WHEN s.active_pid IS NULL THEN 'nobody reads it now'
                                ELSE 'read by ' || coalesce(nullif(a.application_name, ''), a.usename, 'process ' || s.active_pid)
                                     || coalesce(' from ' || host(a.client_addr), '') END)
             FROM pg_replication_slots s LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid
             WHERE s.slot_type = 'logical' ORDER BY 1) AS slots,
       ARRAY(SELECT 'schema ' || n.nspname FROM pg_namespace n WHERE n.nspname IN ('pgleap', 'pgleap_copy')
             UNION ALL SELECT 'role ' || p.rolname FROM pg_roles p WHERE p.rolname = ANY ($2::text[]) ORDER BY 1) AS leftovers
FROM pg_database d, pg_roles r
WHERE d.datname = current_database() AND r.rolname = current_user
