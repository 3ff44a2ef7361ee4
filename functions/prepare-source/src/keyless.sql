-- Tables that are carried and whose old rows do not name their primary key: schema, table, has a primary key, oid.
-- Reads: the catalogs. Changes: nothing. $1: schemas that are not carried; $2: whether the copy engine
-- takes the index of a replica identity for a key.
-- relreplident: d = the primary key, n = nothing, f = the whole row, i = an index.
-- A deferrable primary key tells no rows apart for PostgreSQL. Of a partitioned table the root counts too, because changes of
-- its partitions may be published as its own.
SELECT n.nspname, c.relname, p.indexrelid IS NOT NULL AS has_key, c.oid
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index p ON p.indrelid = c.oid AND p.indisprimary AND p.indimmediate
WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
  AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgleap') AND n.nspname <> ALL ($1::text[])
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  AND c.relreplident <> 'f'
  AND (p.indexrelid IS NULL OR c.relreplident = 'n' OR (c.relreplident = 'i' AND NOT p.indisreplident))
  AND NOT ($2 AND c.relreplident = 'i' AND EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisreplident
                                                   AND x.indimmediate AND x.indisvalid))
ORDER BY 1, 2
