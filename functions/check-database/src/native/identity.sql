-- Tables to carry without a usable replica identity (an index that is deferrable or invalid identifies nothing), with a unique
-- index over columns that are NOT NULL, if there is one.
-- Reads: the catalogs. Changes: nothing.
SELECT c.name AS what,
       CASE WHEN c.relreplident = 'n' THEN 'logs nothing of its old rows (REPLICA IDENTITY NOTHING)'
            WHEN c.relreplident = 'i' THEN 'logs an index that is missing or not valid (REPLICA IDENTITY USING INDEX)'
            WHEN EXISTS (SELECT FROM pg_index p WHERE p.indrelid = c.oid AND p.indisprimary) THEN 'has a deferrable primary key'
            ELSE 'has no primary key' END
       || coalesce(' (its index ' || usable.name || ' would do)', '') AS why
FROM carried c
LEFT JOIN LATERAL (
    SELECT quote_ident(k.relname) AS name
    FROM pg_index u JOIN pg_class k ON k.oid = u.indexrelid
    WHERE u.indrelid = c.oid AND NOT u.indisprimary AND u.indisunique AND u.indimmediate AND u.indisvalid AND u.indpred IS NULL AND u.indexprs IS NULL
      AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (u.indkey) AND NOT a.attnotnull)
    ORDER BY u.indnkeyatts, k.relname LIMIT 1) usable ON true
WHERE c.relreplident <> 'f'
  AND NOT EXISTS (SELECT FROM pg_index x
                  WHERE x.indrelid = c.oid AND x.indimmediate AND x.indisvalid
                    AND CASE c.relreplident WHEN 'd' THEN x.indisprimary WHEN 'i' THEN x.indisreplident ELSE false END)
