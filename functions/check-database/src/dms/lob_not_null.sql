-- Columns to carry whose values travel apart and that refuse a null in a way that cannot be lifted for a while: checks can.
-- Reads: the catalogs. Changes: nothing.
WITH texts AS ({texts})
SELECT format('%s.%I', c.name, a.attname) AS what,
       CASE WHEN key.indisprimary THEN 'it is part of the primary key'
            WHEN key.indexrelid IS NOT NULL THEN 'it is part of the replica identity'
            ELSE 'its domain ' || format_type(a.atttypid, NULL) || ' is NOT NULL' END AS why,
       CASE WHEN key.indexrelid IS NOT NULL AND t.statement IS NOT NULL
            THEN format('run %s%s; or use copy.engine native (or auto)', t.statement,
                        CASE WHEN c.relispartition THEN ' this does not rewrite the table, but it builds its indexes again, and the table cannot be read or written meanwhile'
                             ELSE ' this does not rewrite the table, and it builds only those indexes again that have an expression or a condition over the column' END)
            WHEN key.indexrelid IS NOT NULL AND t.used_by IS NOT NULL
            THEN format('use copy.engine native (or auto); or change its type to varchar, which PostgreSQL refuses while the column is used by %s', t.used_by)
            WHEN key.indexrelid IS NULL AND d.typnotnull AND d.typtype = 'd'
            THEN format('run ALTER TABLE %s ALTER COLUMN %I SET NOT NULL; ALTER DOMAIN %s DROP NOT NULL; the first statement reads the whole table, '
                        'and all other columns of the domain need it too; or use copy.engine native (or auto)', c.name, a.attname, format_type(d.oid, NULL))
       END AS remedy
FROM carried c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
JOIN pg_type d ON d.oid = a.atttypid
JOIN base_types b ON b.typ = a.atttypid AND (b.is_array OR b.known AND b.typname = ANY ({apart}))
LEFT JOIN texts t ON t.attrelid = a.attrelid AND t.attnum = a.attnum
LEFT JOIN LATERAL (
    SELECT i.indexrelid, i.indisprimary FROM pg_index i
    WHERE i.indrelid = c.oid AND a.attnum = ANY (i.indkey) AND (i.indisprimary OR i.indisreplident)
    ORDER BY i.indisprimary DESC LIMIT 1) key ON true
WHERE key.indexrelid IS NOT NULL OR b.domain_not_null
