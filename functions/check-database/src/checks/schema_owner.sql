-- Schemas with tables to carry on which the login could neither make an index nor let DMS look in.
-- Reads: the catalogs. Changes: nothing.
SELECT quote_ident(s.nspname) AS what, pg_get_userbyid(n.nspowner)::text AS why
FROM spaces s JOIN pg_namespace n ON n.oid = s.oid
WHERE NOT pg_has_role(n.nspowner, 'USAGE')
  AND NOT (has_schema_privilege(n.oid, 'USAGE WITH GRANT OPTION') AND has_schema_privilege(n.oid, 'CREATE WITH GRANT OPTION'))
  AND EXISTS (SELECT FROM carried c WHERE c.space = s.oid)
