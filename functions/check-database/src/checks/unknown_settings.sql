-- Settings of roles and databases that 14 and later refuse. Reads: the catalogs. Changes: nothing.
-- Every database's count: roles and their settings are the whole instance's.
SELECT format('%s has the setting %s', owner.what, s.name) AS what, format('%s RESET %I', owner.alter, s.name) AS why
FROM pg_db_role_setting r
LEFT JOIN pg_roles o ON o.oid = r.setrole
LEFT JOIN pg_database d ON d.oid = r.setdatabase
CROSS JOIN LATERAL (
    SELECT CASE WHEN o.oid IS NULL THEN format('database %I', d.datname)
                WHEN d.oid IS NULL THEN format('role %I', o.rolname)
                ELSE format('role %I in database %I', o.rolname, d.datname) END AS what,
           CASE WHEN o.oid IS NULL THEN format('ALTER DATABASE %I', d.datname)
                ELSE format('ALTER ROLE %I%s', o.rolname, ' IN DATABASE ' || quote_ident(d.datname)) END AS alter) owner
CROSS JOIN LATERAL (
    SELECT split_part(setting, '=', 1) AS name, substr(setting, strpos(setting, '=') + 1) AS value FROM unnest(r.setconfig) AS setting) s
WHERE (s.name IN ('operator_precedence_warning', 'vacuum_cleanup_index_scale_factor')
       OR s.name = 'password_encryption' AND lower(s.value) NOT IN ('md5', 'scram-sha-256')
       -- Names of custom settings are identifiers from 14 on.
       OR strpos(s.name, '.') > 0 AND s.name !~ '^([A-Za-z_]|[^\x01-\x7f])([A-Za-z0-9_$]|[^\x01-\x7f])*(\.([A-Za-z_]|[^\x01-\x7f])([A-Za-z0-9_$]|[^\x01-\x7f])*)+$')
