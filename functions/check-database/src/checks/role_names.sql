-- Roles of users with a name of PostgreSQL's. Reads: the catalogs. Changes: nothing.
SELECT quote_ident(r.rolname) AS what, '' AS why FROM pg_roles r WHERE r.rolname ~ '^pg_' AND r.oid >= 16384
