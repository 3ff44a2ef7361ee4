-- Foreign tables. Reads: the catalogs. Changes: nothing.
SELECT r.name AS what, s.srvname::text AS why
FROM relations r JOIN pg_foreign_table f ON f.ftrelid = r.oid JOIN pg_foreign_server s ON s.oid = f.ftserver
