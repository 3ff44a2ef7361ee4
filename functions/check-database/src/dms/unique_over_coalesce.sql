-- Unique indexes over coalesce() on tables to carry. Reads: the catalogs. Changes: nothing.
SELECT format('%I on %s', x.relname, c.name) AS what, '' AS why
FROM pg_index i JOIN carried c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
WHERE i.indisunique AND i.indexprs IS NOT NULL AND pg_get_indexdef(i.indexrelid) ~* 'coalesce\s*\('
