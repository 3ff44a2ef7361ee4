-- Triggers with their state, clones on partitions included; those that carry out constraints are left out.
SELECT 'trigger', format('%s: %I', t.tgrelid::regclass, t.tgname),
  jsonb_build_object('definition', pg_get_triggerdef(t.oid), 'state', t.tgenabled)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE pg_temp.is_users(c.oid, 'pg_class', n.nspname)
  AND (NOT t.tgisinternal OR (t.tgconstraint = 0 AND c.relispartition))
UNION ALL
SELECT 'rule', format('%s: %I', r.ev_class::regclass, r.rulename),
  jsonb_build_object('definition', pg_get_ruledef(r.oid), 'state', r.ev_enabled)
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE r.rulename <> '_RETURN' AND pg_temp.is_users(c.oid, 'pg_class', n.nspname)
UNION ALL
SELECT 'event trigger', format('%I', e.evtname),
  jsonb_strip_nulls(jsonb_build_object('event', e.evtevent, 'function', e.evtfoid::regprocedure::text, 'state', e.evtenabled,
    'tags', array_to_string(e.evttags, ', '), 'owner', e.evtowner::regrole::text))
FROM pg_event_trigger e WHERE pg_temp.is_users(e.oid, 'pg_event_trigger', '')
UNION ALL
SELECT 'policy', format('%s: %I', p.polrelid::regclass, p.polname),
  jsonb_strip_nulls(jsonb_build_object('command', p.polcmd, 'permissive', p.polpermissive,
    'roles', (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE r::regrole::text END, ', ' ORDER BY 1) FROM unnest(p.polroles) AS r),
    'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid)))
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE pg_temp.is_users(c.oid, 'pg_class', n.nspname)
