-- Indexes with their names, children of partitioned ones, CLUSTER flag, statistics targets (see columns.sql).
SELECT 'index', format('%I.%I', n.nspname, c.relname),
  jsonb_strip_nulls(jsonb_build_object(
    'definition', pg_get_indexdef(c.oid),
    'table', i.indrelid::regclass::text,
    'primary', i.indisprimary, 'unique', i.indisunique, 'immediate', i.indimmediate,
    'clustered', i.indisclustered, 'replica identity', i.indisreplident, 'valid', i.indisvalid, 'ready', i.indisready,
    'parent', (SELECT h.inhparent::regclass::text FROM pg_inherits h WHERE h.inhrelid = c.oid),
    'owner', c.relowner::regrole::text,
    'options', (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(c.reloptions) AS o),
    'tablespace', (SELECT spcname FROM pg_tablespace s WHERE s.oid = c.reltablespace)))
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE pg_temp.is_users(c.oid, 'pg_class', n.nspname)
