-- Tables of a publication, leaves of partitioned ones included, whose updates and deletes the source would refuse to its
-- applications as soon as they are published: their replica identity names no row. And leaves whose identity does not name the
-- columns that they are partitioned by: the target could not find the partition of a row. On the source, as any login.
-- Reads: catalogs. Changes: nothing. $1: the publication.
-- Source: PostgreSQL, CheckCmdReplicaIdentity, RelationGetIndexList (an index that is deferrable or invalid identifies nothing).
WITH RECURSIVE published AS (
    SELECT r.prrelid AS oid FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
    WHERE p.pubname = $1::text::name
    UNION
    SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN published u ON u.oid = i.inhparent
)
SELECT format('%I.%I', n.nspname, c.relname)
FROM published u
JOIN pg_catalog.pg_class c ON c.oid = u.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relreplident <> 'f'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_index x
                  WHERE x.indrelid = c.oid AND x.indimmediate AND x.indisvalid
                    AND CASE c.relreplident WHEN 'd' THEN x.indisprimary WHEN 'i' THEN x.indisreplident ELSE false END
                    AND NOT EXISTS (
                        SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) a
                        JOIN pg_catalog.pg_partitioned_table t ON t.partrelid = a.relid AND t.partrelid <> c.oid
                        CROSS JOIN unnest(t.partattrs::int2[]) AS part (key)
                        WHERE NOT EXISTS (
                            SELECT FROM pg_catalog.pg_attribute above
                            JOIN pg_catalog.pg_attribute own ON own.attrelid = c.oid AND own.attname = above.attname
                            WHERE above.attrelid = a.relid AND above.attnum = part.key AND own.attnum = ANY (x.indkey))))
ORDER BY 1 LIMIT 20
