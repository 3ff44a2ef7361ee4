-- Tables to carry whose changes do not name their primary key. As prepare-source's keyless.sql, which repairs them by choice.
-- Reads: the catalogs. Changes: nothing.
WITH {identifying}, texts AS ({texts}), primary_keys AS MATERIALIZED ({primary_keys})
SELECT c.name AS what,
       CASE WHEN p.indexrelid IS NULL THEN 'has no primary key'
            WHEN c.relreplident = 'n' THEN 'does not log its old rows (REPLICA IDENTITY NOTHING)'
            ELSE 'logs an index other than its primary key (REPLICA IDENTITY USING INDEX)' END AS why,
       CASE WHEN p.indexrelid IS NOT NULL THEN format('run ALTER TABLE %s REPLICA IDENTITY DEFAULT;', c.name)
            ELSE coalesce('run ' || k.statements, 'add a primary key,') END
       || ' or set choices.keylessTables = replica-identity-full' AS remedy
FROM carried c
LEFT JOIN pg_index p ON p.indrelid = c.oid AND p.indisprimary
LEFT JOIN primary_keys k ON k.oid = c.oid
WHERE c.relreplident <> 'f'
  AND (p.indexrelid IS NULL OR c.relreplident = 'n' OR (c.relreplident = 'i' AND NOT p.indisreplident))
