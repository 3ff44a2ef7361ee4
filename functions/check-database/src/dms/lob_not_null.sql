-- Columns to carry whose values travel apart and that refuse a null in a way that cannot be lifted for a while: checks can.
-- Reads: the catalogs. Changes: nothing.
SELECT format('%s.%I', c.name, a.attname) AS what,
       CASE WHEN key.indisprimary THEN 'it is in the primary key'
            WHEN key.indexrelid IS NOT NULL THEN 'it is in the replica identity'
            ELSE 'its domain ' || format_type(a.atttypid, NULL) || ' is NOT NULL' END AS why
FROM carried c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
JOIN base_types b ON b.typ = a.atttypid AND (b.is_array OR b.known AND b.typname = ANY ({apart}))
LEFT JOIN LATERAL (
    SELECT i.indexrelid, i.indisprimary FROM pg_index i
    WHERE i.indrelid = c.oid AND a.attnum = ANY (i.indkey) AND (i.indisprimary OR i.indisreplident)
    ORDER BY i.indisprimary DESC LIMIT 1) key ON true
WHERE key.indexrelid IS NOT NULL OR b.domain_not_null
