-- Tables to carry that are one table where case does not count. Reads: the catalogs. Changes: nothing.
SELECT lower(c.name) AS what, string_agg(c.name, ' and ' ORDER BY c.name) AS why
FROM carried c GROUP BY lower(c.nspname), lower(c.relname), lower(c.name) HAVING count(*) > 1
