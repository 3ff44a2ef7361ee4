-- Owners of tables, views, sequences and of domains whose checks are set aside that the login is no member of, with what they own and who may grant the role.
-- Reads: the catalogs. Changes: nothing.
SELECT o.rolname AS what,
       format('role %I owns %s of the objects that the run must alter, for example %s%s', o.rolname, count(*), min(r.name),
              coalesce(' (may be granted by ' || (
                  SELECT string_agg(DISTINCT g.rolname, ', ') FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.member
                  WHERE m.roleid = o.oid AND m.admin_option) || ')', '')) AS why
FROM (SELECT relowner, name FROM relations
      UNION
      SELECT t.typowner, k.contypid::regtype::text
      FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid JOIN spaces s ON s.oid = t.typnamespace
      JOIN base_types b ON b.typ = k.contypid
      WHERE k.contype = 'c' AND (NOT k.convalidated OR b.is_array OR b.known AND b.typname = ANY ({apart}) OR {is_changeable})
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')) r
JOIN pg_roles o ON o.oid = r.relowner
WHERE NOT pg_has_role(r.relowner, 'USAGE')
GROUP BY o.oid, o.rolname
