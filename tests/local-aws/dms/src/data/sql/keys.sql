-- Unique keys without nulls, expressions or conditions of the given tables; the primary key first.
-- Reads: the catalogs. Changes: nothing. Safe to repeat. Parameter: $1 table oids as int8[].
SELECT i.indrelid::int8 AS table_oid,
       i.indisprimary AS is_primary,
       i.indisreplident AS is_replica_identity,
       k.columns
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
 CROSS JOIN LATERAL (
       SELECT array_agg(a.attname::text ORDER BY p.position) AS columns, bool_and(a.attnotnull) AS not_null
         FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS p (attnum, position)
         JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = p.attnum
        WHERE p.position <= i.indnkeyatts
       ) k
 WHERE i.indrelid::int8 = ANY ($1)
   AND i.indisunique AND i.indisvalid AND i.indimmediate
   AND i.indpred IS NULL AND i.indexprs IS NULL
   AND k.not_null
 ORDER BY i.indrelid, i.indisprimary DESC, c.relname
