-- Tables to carry with children by inheritance. Reads: the catalogs. Changes: nothing.
SELECT p.name AS what, string_agg(i.inhrelid::regclass::text, ', ') AS why
FROM pg_inherits i JOIN carried p ON p.oid = i.inhparent
GROUP BY p.name
