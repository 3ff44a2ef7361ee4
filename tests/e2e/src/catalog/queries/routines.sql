-- Functions, procedures, window functions and aggregates.
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
  p.oid::regprocedure::text,
  jsonb_strip_nulls(jsonb_build_object(
    'definition', CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END,
    'aggregate', (SELECT jsonb_build_object('transition', g.aggtransfn::text, 'final', g.aggfinalfn::text, 'state', g.aggtranstype::regtype::text,
                    'initial', g.agginitval, 'sort', g.aggsortop::regoperator::text, 'combine', g.aggcombinefn::text)::text
                  FROM pg_aggregate g WHERE g.aggfnoid = p.oid),
    'owner', p.proowner::regrole::text,
    'grants', pg_temp.grants(coalesce(p.proacl, acldefault('f', p.proowner)))))
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE pg_temp.is_users(p.oid, 'pg_proc', n.nspname)
