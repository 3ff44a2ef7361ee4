-- Tables to carry that the login may not read. Those whose owner it is no member of are table-owner's.
-- Reads: the catalogs. Changes: nothing.
SELECT c.name AS what, CASE WHEN c.relowner = r.oid THEN 'its owner' ELSE 'a member of its owner' END AS why
FROM carried c, pg_roles r
WHERE r.rolname = current_user AND pg_has_role(c.relowner, 'USAGE') AND NOT has_table_privilege(c.oid, 'SELECT')
