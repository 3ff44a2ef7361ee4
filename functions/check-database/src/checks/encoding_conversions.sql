-- Encoding conversions of users. Reads: the catalogs. Changes: nothing.
SELECT format('%I.%I', n.nspname, c.conname) AS what, '' AS why
FROM pg_conversion c JOIN pg_namespace n ON n.oid = c.connamespace
WHERE c.oid >= 16384
