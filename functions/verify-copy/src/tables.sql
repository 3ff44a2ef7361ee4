-- Tables that are carried, with their size on disk: plain ones and leaves of partitioned ones, whose changes are logged,
-- outside the schemas that go live as of the snapshot. On the source, as the owner.
-- Reads: catalogs, pgleap.catalog_skipped. Changes: nothing.
SELECT n.nspname::text, c.relname::text, pg_catalog.pg_table_size(c.oid)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r'
  AND c.relpersistence = 'p'
  AND n.nspname !~ '^pg_'
  AND n.nspname NOT IN ('information_schema', 'pgleap', 'pgleap_copy')
  AND c.relname !~ '^awsdms_'
  AND NOT EXISTS (SELECT FROM pgleap.catalog_skipped s WHERE s.schema = n.nspname)
