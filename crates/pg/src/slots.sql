-- DMS's slot of this database, several as one. On the source, as any login.
-- Reads: pg_replication_slots. Changes: nothing.
SELECT count(*) > 0,
       coalesce(bool_or(active), false),
       coalesce(bool_or(wal_status = 'lost'), false),
       coalesce(max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn)), 0)::bigint,
       coalesce(max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), confirmed_flush_lsn)), 0)::bigint,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')::bigint
FROM pg_catalog.pg_replication_slots
WHERE plugin = 'test_decoding'
  AND database = pg_catalog.current_database()
  AND slot_name ~ '^[a-z0-9_]{1,16}_[0-9]{8,}_[0-9a-f]{8}_[0-9a-f]{4}_[0-9a-f]{4}_[0-9a-f]{4}_[0-9a-f]{12}$'
