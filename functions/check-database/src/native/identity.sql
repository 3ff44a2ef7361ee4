-- Tables to carry without a usable replica identity: an index that is deferrable or invalid identifies nothing. Changes of a
-- partition are published as those of its root, so the root needs one too, and that of a partition must name the columns that the
-- root is partitioned by: else the target could not find the partition of a row. With a unique index over columns that are NOT
-- NULL, if there is one.
-- Reads: the catalogs. Changes: nothing.
SELECT r.name AS what,
       CASE WHEN i.indexrelid IS NOT NULL
            THEN format('has a key without all columns that it is partitioned by (%s): the target could not find the partition of a row that is deleted', i.indexrelid::regclass)
            ELSE CASE WHEN r.relreplident = 'n' THEN 'logs nothing of its old rows (REPLICA IDENTITY NOTHING)'
                      WHEN r.relreplident = 'i' THEN 'logs an index that is missing or not valid (REPLICA IDENTITY USING INDEX)'
                      WHEN EXISTS (SELECT FROM pg_index p WHERE p.indrelid = r.oid AND p.indisprimary) THEN 'has a deferrable primary key'
                      ELSE 'has no primary key' END
                 || coalesce(' (its index ' || usable.name || ' would do)', '') || ': published, it would refuse updates and deletes to your applications' END AS why
FROM relations r
LEFT JOIN pg_index i ON i.indrelid = r.oid AND i.indimmediate AND i.indisvalid
                    AND CASE r.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
LEFT JOIN LATERAL (
    SELECT quote_ident(k.relname) AS name
    FROM pg_index u JOIN pg_class k ON k.oid = u.indexrelid
    WHERE u.indrelid = r.oid AND NOT u.indisprimary AND u.indisunique AND u.indimmediate AND u.indisvalid AND u.indpred IS NULL AND u.indexprs IS NULL
      AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = r.oid AND a.attnum = ANY (u.indkey) AND NOT a.attnotnull)
    ORDER BY u.indnkeyatts, k.relname LIMIT 1) usable ON true
WHERE (r.relkind = 'r' AND r.relpersistence = 'p' OR r.relkind = 'p' AND NOT r.relispartition)
  AND r.relreplident <> 'f'
  AND (i.indexrelid IS NULL
       OR EXISTS (SELECT FROM pg_partition_ancestors(r.oid) a
                  JOIN pg_partitioned_table t ON t.partrelid = a.relid AND t.partrelid <> r.oid
                  CROSS JOIN unnest(t.partattrs::int2[]) AS part (key)
                  WHERE NOT EXISTS (SELECT FROM pg_attribute above
                                    JOIN pg_attribute own ON own.attrelid = r.oid AND own.attname = above.attname
                                    WHERE above.attrelid = a.relid AND above.attnum = part.key AND own.attnum = ANY (i.indkey))))
