-- Invalid indexes of tables and materialized views. Reads: the catalogs. Changes: nothing.
SELECT format('%I.%I', r.nspname, x.relname) AS what, r.name AS why
FROM pg_index i JOIN relations r ON r.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
WHERE NOT i.indisvalid
