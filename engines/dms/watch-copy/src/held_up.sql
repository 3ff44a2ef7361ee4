-- Transactions that keep DMS's slot from being made, the oldest first: a slot begins when all that had begun to write before it
-- have ended, in whatever database of the server. None once the slot stands somewhere. Takes how many are named.
-- Reads: pg_stat_activity (of other roles only with pg_monitor), pg_prepared_xacts, pg_replication_slots. Changes: nothing.
SELECT o.what FROM (
    SELECT format('%s (pid %s, %s, database %s)', a.usename, a.pid, a.application_name, a.datname) AS what, a.xact_start AS since
    FROM pg_catalog.pg_stat_activity a
    WHERE a.backend_xid IS NOT NULL
    UNION ALL
    SELECT format('prepared transaction %s of %s, database %s', p.gid, p.owner, p.database), p.prepared
    FROM pg_catalog.pg_prepared_xacts p
) o
WHERE o.since < pg_catalog.clock_timestamp() - interval '5 seconds'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots s
                  WHERE s.plugin = 'test_decoding' AND s.slot_name !~ '^pgleap_.*_watch$'
                    AND s.database = pg_catalog.current_database() AND s.confirmed_flush_lsn IS NOT NULL)
ORDER BY o.since LIMIT $1
