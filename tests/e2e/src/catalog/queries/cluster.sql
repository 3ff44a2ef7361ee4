-- What all databases share: roles with attributes, memberships and settings; databases with grants and settings.
-- The platform's own roles (rdsadmin, rds_*, pg_*) differ between majors and are not the user's.
SELECT 'role', format('%I', r.rolname),
  jsonb_strip_nulls(jsonb_build_object(
    'attributes', format('super %s inherit %s createrole %s createdb %s login %s replication %s bypassrls %s', r.rolsuper, r.rolinherit,
                         r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolreplication, r.rolbypassrls),
    'connection limit', r.rolconnlimit,
    'password', (SELECT md5(a.rolpassword) FROM pg_authid a WHERE a.oid = r.oid),
    'valid until', r.rolvaliduntil,
    'member of', (SELECT string_agg(DISTINCT format('%s%s', m.roleid::regrole, CASE WHEN m.admin_option THEN ' with admin option' ELSE '' END), ', '
                                    ORDER BY format('%s%s', m.roleid::regrole, CASE WHEN m.admin_option THEN ' with admin option' ELSE '' END))
                  FROM pg_auth_members m WHERE m.member = r.oid)))
FROM pg_roles r WHERE r.rolname !~ '^(pg_|rds|rdsadmin)'
UNION ALL
SELECT 'settings', format('%s in %s', CASE s.setrole WHEN 0 THEN 'all roles' ELSE s.setrole::regrole::text END,
                          coalesce((SELECT quote_ident(datname) FROM pg_database d WHERE d.oid = s.setdatabase), 'all databases')),
  jsonb_build_object('values', (SELECT string_agg(c, '; ' ORDER BY c) FROM unnest(s.setconfig) AS c))
FROM pg_db_role_setting s
WHERE s.setrole = 0 OR s.setrole::regrole::text !~ '^"?(pg_|rds|rdsadmin)'
UNION ALL
SELECT 'database', format('%I', d.datname),
  jsonb_strip_nulls(jsonb_build_object('owner', d.datdba::regrole::text, 'encoding', pg_encoding_to_char(d.encoding),
    'collate', d.datcollate, 'ctype', d.datctype, 'connection limit', d.datconnlimit, 'allows connections', d.datallowconn, 'template', d.datistemplate,
    'grants', pg_temp.grants(coalesce(d.datacl, acldefault('d', d.datdba)))))
FROM pg_database d WHERE d.datname NOT IN ('template0', 'template1', 'rdsadmin', 'postgres')
