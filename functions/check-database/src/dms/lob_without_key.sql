-- Tables to carry with large or array values and without a primary key.
-- Reads: the catalogs. Changes: nothing.
WITH {identifying}, texts AS ({texts}), primary_keys AS MATERIALIZED ({primary_keys})
SELECT c.name AS what, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS why,
       coalesce('run ' || k.statements, 'add a primary key,') || ' or use copy.engine native (or auto)' AS remedy
FROM carried c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
JOIN base_types b ON b.typ = a.atttypid AND (b.is_array OR b.known AND b.typname = ANY ({apart}))
LEFT JOIN primary_keys k ON k.oid = c.oid
WHERE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
GROUP BY c.name, k.statements
