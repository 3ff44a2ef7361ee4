-- Tables whose changes a publication must carry: plain ones and the roots of partitioned ones, with the run's marker, outside
-- the schemas that go live as of the snapshot. Tables of extensions are made by their extension. On the source, as any login.
-- Reads: catalogs, pgleap.catalog_skipped. Changes: nothing.
SELECT n.nspname::text, c.relname::text, c.relkind = 'p', c.oid
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE (c.relkind = 'p' OR c.relkind = 'r' AND c.relpersistence = 'p')
  AND NOT c.relispartition
  AND (n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgleap', 'pgleap_copy') AND c.relname !~ '^awsdms_'
       OR n.nspname = 'pgleap' AND c.relname = 'marker')
  AND NOT EXISTS (SELECT FROM pgleap.catalog_skipped s WHERE s.schema = n.nspname)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2
