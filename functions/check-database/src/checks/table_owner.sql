-- Owners of tables, views and sequences that the login is no member of, with what they own and who may grant the role.
-- Reads: the catalogs. Changes: nothing.
SELECT o.rolname AS what,
       format('role %I owns %s of the relations to carry, e.g. %s%s', o.rolname, count(*), min(r.name),
              coalesce(' (may be granted by ' || (
                  SELECT string_agg(DISTINCT g.rolname, ', ') FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.member
                  WHERE m.roleid = o.oid AND m.admin_option) || ')', '')) AS why
FROM relations r JOIN pg_roles o ON o.oid = r.relowner
WHERE NOT pg_has_role(r.relowner, 'USAGE')
GROUP BY o.oid, o.rolname
