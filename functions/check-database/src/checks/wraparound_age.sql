-- Databases whose oldest row is a thousand million transactions old. Reads: the catalogs. Changes: nothing.
SELECT quote_ident(d.datname) AS what, (greatest(age(d.datfrozenxid), mxid_age(d.datminmxid)) / 1000000)::text AS why
FROM pg_database d WHERE d.datallowconn AND greatest(age(d.datfrozenxid), mxid_age(d.datminmxid)) > 1000000000
