-- Tables to carry without a usable replica identity: an index that is deferrable or invalid identifies nothing. Changes of a
-- partition are published as those of its root, so the root needs one too, and that of a partition must name the columns that the
-- root is partitioned by: else the target could not find the partition of a row. Where the identity is the default and a unique
-- index over columns that are NOT NULL can take its place, the run sees to it.
-- Reads: the catalogs. Changes: nothing.
WITH {identifying}
SELECT r.name AS what,
       CASE WHEN i.indexrelid IS NOT NULL
            THEN format('has a key that does not contain all partition columns (%s): the target could not find the partition of a deleted row', i.indexrelid::regclass)
            ELSE CASE WHEN r.relreplident = 'n' THEN 'does not log its old rows (REPLICA IDENTITY NOTHING)'
                      WHEN r.relreplident = 'i' THEN 'has a replica identity index that is missing or invalid (REPLICA IDENTITY USING INDEX)'
                      WHEN EXISTS (SELECT FROM pg_index p WHERE p.indrelid = r.oid AND p.indisprimary) THEN 'has a deferrable primary key'
                      ELSE 'has no primary key' END
                 || coalesce(' (its index ' || quote_ident(usable.relname) || ' can be used)', '') || ': once it is published, PostgreSQL refuses the updates and deletes of your applications' END AS why,
       CASE WHEN i.indexrelid IS NULL AND usable.indexrelid IS NOT NULL
            THEN format('run ALTER TABLE ONLY %s REPLICA IDENTITY USING INDEX %I;', r.name, usable.relname)
            WHEN i.indexrelid IS NULL AND EXISTS (SELECT FROM pg_index p WHERE p.indrelid = r.oid AND p.indisprimary AND p.indimmediate AND p.indisvalid)
            THEN format('run ALTER TABLE ONLY %s REPLICA IDENTITY DEFAULT;', r.name)
            ELSE 'add a primary key that is not deferrable and contains the partition columns,' END
       || ' or set choices.keylessTables = replica-identity-full' AS remedy
FROM relations r
LEFT JOIN pg_index i ON i.indrelid = r.oid AND i.indimmediate AND i.indisvalid
                    AND CASE r.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
LEFT JOIN identity_indexes usable ON usable.indrelid = r.oid
WHERE (r.relkind = 'r' AND r.relpersistence = 'p' OR r.relkind = 'p' AND NOT r.relispartition)
  AND r.relreplident <> 'f' AND NOT (r.relreplident = 'd' AND usable.indexrelid IS NOT NULL)
  AND (i.indexrelid IS NULL
       OR EXISTS (SELECT FROM pg_partition_ancestors(r.oid) a
                  JOIN pg_partitioned_table t ON t.partrelid = a.relid AND t.partrelid <> r.oid
                  CROSS JOIN unnest(t.partattrs::int2[]) AS part (key)
                  WHERE NOT EXISTS (SELECT FROM pg_attribute above
                                    JOIN pg_attribute own ON own.attrelid = r.oid AND own.attname = above.attname
                                    WHERE above.attrelid = a.relid AND above.attnum = part.key AND own.attnum = ANY (i.indkey))))
