-- Tables, partitions, views, materialized views, foreign tables. Reads catalogs of one database.
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'table' END,
  format('%I.%I', n.nspname, c.relname),
  jsonb_strip_nulls(jsonb_build_object(
    'owner', c.relowner::regrole::text,
    'grants', (pg_temp.grants(coalesce(c.relacl, acldefault('r', c.relowner)))),
    'partitioned', CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
    'bound', pg_get_expr(c.relpartbound, c.oid),
    'parents', (SELECT string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = c.oid),
    'persistence', c.relpersistence,
    'options', (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(c.reloptions) AS o),
    'toast options', (SELECT string_agg(o, ', ' ORDER BY o) FROM pg_class t, unnest(t.reloptions) AS o WHERE t.oid = c.reltoastrelid),
    'replica identity', c.relreplident,
    'row security', format('%s/%s', c.relrowsecurity, c.relforcerowsecurity),
    'tablespace', (SELECT spcname FROM pg_tablespace s WHERE s.oid = c.reltablespace),
    'access method', CASE WHEN c.relkind IN ('r', 'm') THEN (SELECT amname FROM pg_am a WHERE a.oid = c.relam) END,
    'of type', CASE WHEN c.reloftype <> 0 THEN c.reloftype::regtype::text END,
    'populated', CASE WHEN c.relkind = 'm' THEN c.relispopulated END,
    'definition', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_temp.is_users(c.oid, 'pg_class', n.nspname)
