-- Views over columns that go between these majors. Reads: the catalogs. Changes: nothing.
SELECT r.name AS what, string_agg(DISTINCT format('%s.%s', v.catalog, v.gone), ', ') AS why
FROM (VALUES ('pg_stat_bgwriter', 'checkpoints_timed', 17), ('pg_stat_bgwriter', 'checkpoints_req', 17),
             ('pg_stat_bgwriter', 'checkpoint_write_time', 17), ('pg_stat_bgwriter', 'checkpoint_sync_time', 17),
             ('pg_stat_bgwriter', 'buffers_checkpoint', 17), ('pg_stat_bgwriter', 'buffers_backend', 17),
             ('pg_stat_bgwriter', 'buffers_backend_fsync', 17),
             ('pg_stat_progress_vacuum', 'max_dead_tuples', 17), ('pg_stat_progress_vacuum', 'num_dead_tuples', 17),
             ('pg_collation', 'colliculocale', 17), ('pg_database', 'daticulocale', 17),
             ('pg_database', 'datlastsysoid', 15), ('pg_class', 'relhasoids', 12),
             ('pg_stat_wal', 'wal_write', 18), ('pg_stat_wal', 'wal_sync', 18), ('pg_stat_wal', 'wal_write_time', 18),
             ('pg_stat_wal', 'wal_sync_time', 18), ('pg_stat_io', 'op_bytes', 18),
             ('pg_attribute', 'attcacheoff', 18), ('pg_backend_memory_contexts', 'parent', 18)) AS v (catalog, gone, since)
JOIN pg_class k ON k.relname = v.catalog AND k.relnamespace = 'pg_catalog'::regnamespace
-- Catalogs are pinned: no dependency is recorded on them, so the rule's own text is asked.
JOIN pg_rewrite w ON w.ev_action::text LIKE '%:relid ' || k.oid || ' %'
JOIN relations r ON r.oid = w.ev_class AND r.relkind IN ('v', 'm')
WHERE {major} < v.since AND {target_major} >= v.since AND pg_get_viewdef(r.oid) ~ ('\m' || v.gone || '\M')
GROUP BY r.name
