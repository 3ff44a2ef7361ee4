-- Relations that table mappings can select.
-- Reads: the catalogs. Changes: nothing. Safe to repeat.
-- A partitioned parent is a table to DMS like any other: a mapping must leave it out, or its rows load twice.
SELECT c.oid::int8 AS oid,
       n.nspname::text AS schema,
       c.relname::text AS name,
       c.relkind::text AS kind,
       c.relreplident::text AS replica_identity,
       greatest(c.reltuples, 0)::int8 AS estimated_rows
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v')
   AND c.relpersistence <> 't'
   AND n.nspname <> 'information_schema'
   AND n.nspname NOT LIKE 'pg\_%'
 ORDER BY n.nspname, c.relname
