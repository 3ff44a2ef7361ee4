-- Constraints of tables and domains. Rows that a foreign key to a partitioned table keeps for itself are left out:
-- they have names that nobody gave and belong to the constraint that is listed.
SELECT 'constraint',
  CASE WHEN k.conrelid <> 0 THEN format('%s: %I', k.conrelid::regclass, k.conname) ELSE format('%s: %I', k.contypid::regtype, k.conname) END,
  jsonb_strip_nulls(jsonb_build_object(
    'type', k.contype,
    'definition', pg_get_constraintdef(k.oid),
    'validated', k.convalidated,
    'deferrable', format('%s/%s', k.condeferrable, k.condeferred),
    'not enforced', CASE WHEN to_jsonb(k) ->> 'conenforced' = 'false' THEN true END,
    'local', k.conislocal, 'inherited', k.coninhcount,
    'no inherit', CASE WHEN k.contype = 'c' THEN k.connoinherit END,
    'table', CASE WHEN k.conrelid <> 0 THEN k.conrelid::regclass::text END,
    'index', CASE WHEN k.contype IN ('p', 'u', 'x') THEN k.conindid::regclass::text END,
    'parent', (SELECT format('%s: %I', p.conrelid::regclass, p.conname) FROM pg_constraint p WHERE p.oid = k.conparentid)))
FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
WHERE pg_temp.is_users(k.oid, 'pg_constraint', n.nspname)
  AND NOT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = k.conrelid AND d.deptype = 'e')
