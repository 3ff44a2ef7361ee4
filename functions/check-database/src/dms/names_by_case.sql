-- Tables to carry that are one table where case does not count; by the bare names, because one may need quotes and the other not.
-- Reads: the catalogs. Changes: nothing.
SELECT min(lower(c.name)) AS what, string_agg(c.name, ' and ' ORDER BY c.name) AS why
FROM carried c GROUP BY lower(c.nspname), lower(c.relname) HAVING count(*) > 1
