-- Tables that are carried and whose old rows do not name their primary key: schema, table, has a primary key that suffices, oid,
-- the unique index that can take its place.
-- Reads: the catalogs. Changes: nothing. $1: schemas that are not carried. $2: changes of partitions are published as
-- their root's, and the index of a replica identity counts as a key. $3: whole rows may be logged; else only those are listed
-- whose replica identity is the default and can be such an index.
-- relreplident: d = the primary key, n = nothing, f = the whole row, i = an index, which not every copy engine takes for a key.
-- A deferrable primary key tells no rows apart for PostgreSQL. Of a partitioned table the root counts too, because changes of
-- its partitions may be published as its own. Then the old row of a partition must also say to which partition it belongs, which
-- a primary key of the partition alone may not.
WITH {identifying}
SELECT n.nspname, c.relname, p.indexrelid IS NOT NULL AND NOT m.misses AS has_key, c.oid, x.relname
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index p ON p.indrelid = c.oid AND p.indisprimary AND p.indimmediate
LEFT JOIN identity_indexes x ON x.indrelid = c.oid AND $2
CROSS JOIN LATERAL (
    SELECT $2::boolean AND EXISTS (
        SELECT FROM pg_partition_ancestors(c.oid) a
        JOIN pg_partitioned_table t ON t.partrelid = a.relid AND t.partrelid <> c.oid
        CROSS JOIN unnest(t.partattrs::int2[]) AS part (key)
        WHERE NOT EXISTS (SELECT FROM pg_attribute above
                          JOIN pg_attribute own ON own.attrelid = c.oid AND own.attname = above.attname
                          WHERE above.attrelid = a.relid AND above.attnum = part.key AND own.attnum = ANY (p.indkey))) AS misses
) m
WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
  AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgleap') AND n.nspname <> ALL ($1::text[])
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  AND c.relreplident <> 'f'
  AND (p.indexrelid IS NULL OR m.misses OR c.relreplident = 'n' OR (c.relreplident = 'i' AND NOT p.indisreplident))
  AND NOT ($2 AND c.relreplident = 'i' AND EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisreplident
                                                   AND x.indimmediate AND x.indisvalid))
  AND ($3 OR c.relreplident = 'd' AND x.relname IS NOT NULL)
ORDER BY 1, 2
