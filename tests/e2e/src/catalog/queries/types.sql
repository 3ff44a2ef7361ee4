-- Types that somebody made: domains, enums, composites, ranges, base types. Row types of tables are left out.
SELECT CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END, t.oid::regtype::text,
  jsonb_strip_nulls(jsonb_build_object(
    'kind', t.typtype,
    'owner', t.typowner::regrole::text,
    'grants', pg_temp.grants(coalesce(t.typacl, acldefault('T', t.typowner))),
    'base', CASE WHEN t.typbasetype <> 0 THEN format_type(t.typbasetype, t.typtypmod) END,
    'not null', t.typnotnull, 'default', t.typdefault,
    'collation', CASE WHEN t.typcollation <> 0 THEN t.typcollation::regcollation::text END,
    'labels', (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
    'subtype', (SELECT r.rngsubtype::regtype::text FROM pg_range r WHERE r.rngtypid = t.oid)))
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE pg_temp.is_users(t.oid, 'pg_type', n.nspname)
  AND (t.typrelid = 0 OR EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
  AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
