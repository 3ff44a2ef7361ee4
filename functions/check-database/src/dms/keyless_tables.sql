-- Tables to carry whose changes do not name their primary key. As prepare-source's keyless.sql, which mends them by choice.
-- Reads: the catalogs. Changes: nothing.
SELECT c.name AS what,
       CASE WHEN p.indexrelid IS NULL THEN 'has no primary key'
            WHEN c.relreplident = 'n' THEN 'logs nothing of its old rows (REPLICA IDENTITY NOTHING)'
            ELSE 'logs another index than its primary key (REPLICA IDENTITY USING INDEX)' END AS why
FROM carried c LEFT JOIN pg_index p ON p.indrelid = c.oid AND p.indisprimary
WHERE c.relreplident <> 'f'
  AND (p.indexrelid IS NULL OR c.relreplident = 'n' OR (c.relreplident = 'i' AND NOT p.indisreplident))
