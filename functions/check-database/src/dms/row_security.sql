-- Tables to carry with row security. Reads: the catalogs. Changes: nothing.
SELECT c.name AS what, '' AS why FROM carried c WHERE c.relrowsecurity
