-- How many tables are carried, with about how many rows and bytes: plain ones and leaves of partitioned ones outside the
-- schemas that go live as of the snapshot. On either side, as the owner.
-- Reads: catalogs, statistics, pgleap.catalog_skipped. Changes: nothing.
SELECT count(*),
       coalesce(sum(greatest(pg_catalog.pg_stat_get_live_tuples(c.oid), c.reltuples::bigint, 0)), 0)::bigint,
       coalesce(sum(pg_catalog.pg_table_size(c.oid)), 0)::bigint,
       extract(epoch FROM clock_timestamp())::float8
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r'
  AND c.relpersistence = 'p'
  AND n.nspname !~ '^pg_'
  AND n.nspname NOT IN ('information_schema', 'pgleap', 'pgleap_copy')
  AND c.relname !~ '^awsdms_'
  AND NOT EXISTS (SELECT FROM pgleap.catalog_skipped s WHERE s.schema = n.nspname)
