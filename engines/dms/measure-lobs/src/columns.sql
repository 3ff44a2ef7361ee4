-- The columns of a table that are carried, with their type: domains followed to their base, arrays to their element.
-- On the source, as the owner.
-- Reads: catalogs. Changes: nothing.
WITH RECURSIVE base AS (
    SELECT a.attnum, a.attname, a.atttypid AS typid
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    UNION ALL
    SELECT base.attnum, base.attname, t.typbasetype
    FROM base JOIN pg_catalog.pg_type t ON t.oid = base.typid
    WHERE t.typtype = 'd'
)
SELECT base.attname::text, coalesce(e.typname, t.typname)::text, e.oid IS NOT NULL
FROM base
JOIN pg_catalog.pg_type t ON t.oid = base.typid AND t.typtype <> 'd'
LEFT JOIN pg_catalog.pg_type e ON t.typcategory = 'A' AND e.oid = t.typelem
ORDER BY base.attnum
