-- Sequences: what they are, not where they stand (that is compared at the drain point).
SELECT 'sequence', format('%I.%I', n.nspname, c.relname),
  jsonb_strip_nulls(jsonb_build_object(
    'type', s.seqtypid::regtype::text, 'start', s.seqstart, 'increment', s.seqincrement,
    'minimum', s.seqmin, 'maximum', s.seqmax, 'cache', s.seqcache, 'cycle', s.seqcycle,
    'owner', c.relowner::regrole::text,
    'grants', pg_temp.grants(coalesce(c.relacl, acldefault('s', c.relowner))),
    'persistence', c.relpersistence,
    'belongs to', (SELECT format('%s %s', d.deptype, pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid))
                   FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0)))
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE pg_temp.is_users(c.oid, 'pg_class', n.nspname)
