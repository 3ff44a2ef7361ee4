-- The copy engine's slot of this database, several as one; of WAL that is kept, also what is kept for the slot of the run's
-- watch. On the source, as any login.
-- Reads: pg_replication_slots. Changes: nothing.
SELECT coalesce(bool_or(is_of_copy), false),
       coalesce(bool_or(active) FILTER (WHERE is_of_copy), false),
       coalesce(bool_or(wal_status = 'lost') FILTER (WHERE is_of_copy), false),
       coalesce(max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn)), 0)::bigint,
       coalesce(max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), confirmed_flush_lsn)) FILTER (WHERE is_of_copy), 0)::bigint,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')::bigint
FROM (
    SELECT *, CASE plugin
                  WHEN 'test_decoding' THEN slot_name ~ '^[a-z0-9_]{1,16}_[0-9]{8,}_[0-9a-f]{8}_[0-9a-f]{4}_[0-9a-f]{4}_[0-9a-f]{4}_[0-9a-f]{12}$'
                  WHEN 'pgoutput' THEN slot_name ~ '^pgleap_.*_(copy|back)$'
              END AS is_of_copy
    FROM pg_catalog.pg_replication_slots
) slots
WHERE plugin IN ('test_decoding', 'pgoutput')
  AND database = pg_catalog.current_database()
  AND (is_of_copy OR slot_name ~ '^pgleap_.*_watch$')
