-- Databases with odd names. Reads: the catalogs. Changes: nothing.
SELECT quote_ident(d.datname) AS what, '' AS why FROM pg_database d WHERE d.datname ~ '[^[:alnum:]_ .@-]'
