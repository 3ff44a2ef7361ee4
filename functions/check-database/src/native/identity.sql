-- Tables to carry without a usable replica identity: an index that is deferrable or invalid identifies nothing.
-- Reads: the catalogs. Changes: nothing.
SELECT c.name AS what,
       CASE WHEN c.relreplident = 'n' THEN 'logs nothing of its old rows (REPLICA IDENTITY NOTHING)'
            WHEN c.relreplident = 'i' THEN 'logs an index that is missing or not valid (REPLICA IDENTITY USING INDEX)'
            WHEN EXISTS (SELECT FROM pg_index p WHERE p.indrelid = c.oid AND p.indisprimary) THEN 'has a deferrable primary key'
            ELSE 'has no primary key' END AS why
FROM carried c
WHERE c.relreplident <> 'f'
  AND NOT EXISTS (SELECT FROM pg_index x
                  WHERE x.indrelid = c.oid AND x.indimmediate AND x.indisvalid
                    AND CASE c.relreplident WHEN 'd' THEN x.indisprimary WHEN 'i' THEN x.indisreplident ELSE false END)
