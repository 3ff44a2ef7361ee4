-- Databases that let nobody in, but for the template that must not, and broken ones (invalid-database).
-- Reads: the catalogs. Changes: nothing.
SELECT quote_ident(d.datname) AS what, '' AS why
FROM pg_database d WHERE NOT d.datallowconn AND d.datconnlimit <> -2 AND d.datname <> 'template0'
