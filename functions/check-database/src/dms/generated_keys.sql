-- Generated columns in the primary key or the replica identity of tables to carry. Reads: the catalogs. Changes: nothing.
SELECT format('%s.%I', c.name, a.attname) AS what,
       CASE WHEN bool_or(i.indisprimary) THEN 'the primary key' ELSE 'the replica identity' END AS why
FROM carried c JOIN pg_index i ON i.indrelid = c.oid AND (i.indisprimary OR i.indisreplident)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) AND a.attgenerated <> ''
GROUP BY 1
