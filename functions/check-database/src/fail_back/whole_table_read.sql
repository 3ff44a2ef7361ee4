-- Large tables to carry whose rows the source could only find by reading all of the table. With native replication a unique index
-- becomes the replica identity; for DMS, the whole row is logged in any case.
-- Reads: the catalogs. Changes: nothing.
WITH {identifying}
SELECT c.name AS what, pg_size_pretty(pg_relation_size(c.oid)) AS why
FROM carried c JOIN pg_class k ON k.oid = c.oid
WHERE k.relpages > 10000
  AND NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indimmediate AND x.indisvalid
                    AND (x.indisprimary OR c.relreplident = 'i' AND x.indisreplident))
  AND NOT ({is_native} AND c.relreplident = 'd' AND EXISTS (SELECT FROM identity_indexes i WHERE i.indrelid = c.oid))
  AND ({major} < 16
       OR NOT EXISTS (SELECT FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am m ON m.oid = i.relam AND m.amname = 'btree'
                      WHERE x.indrelid = c.oid AND x.indisvalid AND x.indpred IS NULL AND x.indkey[0] <> 0))
