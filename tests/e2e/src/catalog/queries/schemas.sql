-- Schemas, extensions, default privileges, and objects of rarer kinds by what they are and whose.
SELECT 'schema', format('%I', n.nspname),
  jsonb_strip_nulls(jsonb_build_object('owner', n.nspowner::regrole::text,
    'grants', pg_temp.grants(coalesce(n.nspacl, acldefault('n', n.nspowner)))))
FROM pg_namespace n WHERE n.nspname = 'public' OR pg_temp.is_users(n.oid, 'pg_namespace', n.nspname)
UNION ALL
SELECT 'extension', format('%I', e.extname),
  jsonb_build_object('owner', e.extowner::regrole::text, 'schema', e.extnamespace::regnamespace::text, 'version', e.extversion)
FROM pg_extension e
UNION ALL
SELECT 'default privileges',
  format('%s for %s in %s', d.defaclobjtype, d.defaclrole::regrole, CASE d.defaclnamespace WHEN 0 THEN 'all schemas' ELSE d.defaclnamespace::regnamespace::text END),
  jsonb_build_object('grants', pg_temp.grants(d.defaclacl))
FROM pg_default_acl d
UNION ALL
SELECT o.type, o.identity, jsonb_build_object('exists', true)
FROM (
  SELECT 'pg_operator'::regclass AS class, oid FROM pg_operator UNION ALL SELECT 'pg_opclass'::regclass, oid FROM pg_opclass
  UNION ALL SELECT 'pg_opfamily'::regclass, oid FROM pg_opfamily UNION ALL SELECT 'pg_cast'::regclass, oid FROM pg_cast
  UNION ALL SELECT 'pg_collation'::regclass, oid FROM pg_collation UNION ALL SELECT 'pg_conversion'::regclass, oid FROM pg_conversion
  UNION ALL SELECT 'pg_ts_config'::regclass, oid FROM pg_ts_config UNION ALL SELECT 'pg_ts_dict'::regclass, oid FROM pg_ts_dict
  UNION ALL SELECT 'pg_ts_parser'::regclass, oid FROM pg_ts_parser UNION ALL SELECT 'pg_ts_template'::regclass, oid FROM pg_ts_template
  UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid FROM pg_foreign_data_wrapper
  UNION ALL SELECT 'pg_foreign_server'::regclass, oid FROM pg_foreign_server
  UNION ALL SELECT 'pg_user_mapping'::regclass, umid FROM pg_user_mappings
  UNION ALL SELECT 'pg_language'::regclass, oid FROM pg_language UNION ALL SELECT 'pg_am'::regclass, oid FROM pg_am
  UNION ALL SELECT 'pg_transform'::regclass, oid FROM pg_transform
) AS rare, LATERAL pg_identify_object(rare.class, rare.oid, 0) AS o
WHERE pg_temp.is_users(rare.oid, rare.class::text, coalesce(o.schema, ''))
