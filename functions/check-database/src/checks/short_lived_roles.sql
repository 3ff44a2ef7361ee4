-- Roles that look as if they came and went: a login that expires, one that is named as Vault and OpenBao name theirs, one of
-- Teleport's. Those that the run ignores ($1, as LIKE takes it) are left out. Reads: the catalogs. Changes: nothing.
SELECT * FROM (
SELECT r.rolname::text AS name,
       CASE WHEN r.rolcanlogin AND isfinite(r.rolvaliduntil) AND r.rolvaliduntil > now()
            THEN extract(epoch FROM r.rolvaliduntil - now())::float8 END AS expires_in,
       CASE WHEN r.rolname ~ '^v-.+-[A-Za-z0-9]{20}-[0-9]{10}$'
            THEN extract(epoch FROM now())::float8 - right(r.rolname, 10)::float8 END AS issued_ago,
       EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
               WHERE m.member = r.oid AND g.rolname = 'teleport-auto-user' AND NOT m.admin_option) AS of_teleport
FROM pg_roles r
WHERE r.oid >= 16384 AND r.rolname !~ '^(pg_|pgleap_|rds)' AND NOT r.rolname LIKE ANY ($1::text[])
) roles
WHERE roles.expires_in IS NOT NULL OR roles.issued_ago IS NOT NULL OR roles.of_teleport
ORDER BY roles.name LIMIT 10000
