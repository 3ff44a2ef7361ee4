-- Columns to carry whose values travel apart and that refuse a null in a way that cannot be lifted for a while.
-- Reads: the catalogs. Changes: nothing. A CHECK is taken to refuse a null if it says IS NOT NULL.
SELECT format('%s.%I', c.name, a.attname) AS what,
       CASE WHEN key.indisprimary THEN 'it is in the primary key'
            WHEN key.indexrelid IS NOT NULL THEN 'it is in the replica identity'
            WHEN b.domain_not_null THEN 'its domain ' || format_type(a.atttypid, NULL) || ' is NOT NULL'
            ELSE format('constraint %I', coalesce(k.conname, d.conname)) END AS why
FROM carried c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
JOIN base_types b ON b.typ = a.atttypid AND (b.is_array OR b.known AND b.typname = ANY ({apart}))
LEFT JOIN LATERAL (
    SELECT i.indexrelid, i.indisprimary FROM pg_index i
    WHERE i.indrelid = c.oid AND a.attnum = ANY (i.indkey) AND (i.indisprimary OR i.indisreplident)
    ORDER BY i.indisprimary DESC LIMIT 1) key ON true
LEFT JOIN LATERAL (
    SELECT x.conname FROM pg_constraint x
    WHERE x.conrelid = c.oid AND x.contype = 'c' AND a.attnum = ANY (x.conkey)
      AND pg_get_constraintdef(x.oid) LIKE '%IS NOT NULL%'
    LIMIT 1) k ON true
LEFT JOIN LATERAL (
    SELECT x.conname FROM pg_constraint x
    WHERE x.contypid = a.atttypid AND x.contype = 'c' AND pg_get_constraintdef(x.oid) LIKE '%IS NOT NULL%'
    LIMIT 1) d ON true
WHERE key.indexrelid IS NOT NULL OR b.domain_not_null OR k.conname IS NOT NULL OR d.conname IS NOT NULL
