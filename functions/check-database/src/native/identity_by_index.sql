-- Tables to carry whose replica identity the run sets to a unique index, as prepare-source's keyless.sql does; and that index.
-- Reads: the catalogs. Changes: nothing.
WITH {identifying}
SELECT r.name AS what, quote_ident(x.relname) AS why
FROM relations r
JOIN identity_indexes x ON x.indrelid = r.oid
LEFT JOIN pg_index p ON p.indrelid = r.oid AND p.indisprimary AND p.indimmediate AND p.indisvalid
WHERE (r.relkind = 'r' AND r.relpersistence = 'p' OR r.relkind = 'p') AND r.relreplident = 'd'
  AND (p.indexrelid IS NULL
       OR EXISTS (SELECT FROM pg_partition_ancestors(r.oid) a
                  JOIN pg_partitioned_table t ON t.partrelid = a.relid AND t.partrelid <> r.oid
                  CROSS JOIN unnest(t.partattrs::int2[]) AS part (key)
                  WHERE NOT EXISTS (SELECT FROM pg_attribute above
                                    JOIN pg_attribute own ON own.attrelid = r.oid AND own.attname = above.attname
                                    WHERE above.attrelid = a.relid AND above.attnum = part.key AND own.attnum = ANY (p.indkey))))
