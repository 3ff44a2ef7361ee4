-- Columns of the given tables, each type followed through domains to its base.
-- Reads: the catalogs. Changes: nothing. Safe to repeat. Parameter: $1 table oids as int8[].
WITH RECURSIVE base (typ, oid, modifier) AS (
  SELECT t.oid, t.oid, -1 FROM pg_catalog.pg_type t
  UNION ALL
  SELECT b.typ, t.typbasetype, CASE WHEN b.modifier = -1 THEN t.typtypmod ELSE b.modifier END
    FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.oid
   WHERE t.typtype = 'd'
)
SELECT a.attrelid::int8 AS table_oid,
       a.attname::text AS name,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type_name,
       t.typname::text AS base_name,
       n.nspname::text AS base_schema,
       t.typtype::text AS base_kind,
       (t.typcategory = 'A') AS is_array,
       (CASE WHEN a.atttypmod <> -1 THEN a.atttypmod ELSE b.modifier END)::int4 AS modifier,
       a.attnotnull AS not_null
  FROM pg_catalog.pg_attribute a
  JOIN base b ON b.typ = a.atttypid
  JOIN pg_catalog.pg_type t ON t.oid = b.oid AND t.typtype <> 'd'
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
 WHERE a.attrelid::int8 = ANY ($1)
   AND a.attnum > 0
   AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum
