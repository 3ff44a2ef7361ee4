-- Columns of a table to compare, in their order, with what a statement needs to find a row by its primary key again:
-- name, place in the key, type to cast a text to (a domain's base), collation, comparable. On the source; $1: the table.
-- Reads: catalogs. Changes: nothing. A virtual column is stored on neither side; a stored one is worked out by each.
WITH RECURSIVE down AS (
    SELECT a.attnum, a.atttypid AS type, a.atttypmod AS modifier
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated IN ('', 's')
    UNION ALL
    SELECT d.attnum, t.typbasetype, CASE WHEN d.modifier = -1 THEN t.typtypmod ELSE d.modifier END
    FROM down d JOIN pg_catalog.pg_type t ON t.oid = d.type
    WHERE t.typtype = 'd'
), key AS (
    SELECT k.attnum, k.place
    FROM pg_catalog.pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
    WHERE i.indrelid = $1::text::regclass AND i.indisprimary AND i.indisvalid AND k.place <= i.indnkeyatts
)
SELECT a.attname::text,
       key.place::int,
       format_type(d.type, d.modifier),
       CASE WHEN a.attcollation <> 0 THEN format('%I.%I', n.nspname, c.collname) END,
       -- Operators of these types are found whatever the search path; those of an extension's type are not.
       t.typtype = 'b' AND t.typnamespace = 'pg_catalog'::regnamespace OR t.typtype = 'e'
FROM pg_catalog.pg_attribute a
JOIN down d ON d.attnum = a.attnum
JOIN pg_catalog.pg_type t ON t.oid = d.type AND t.typtype <> 'd'
LEFT JOIN key ON key.attnum = a.attnum
LEFT JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
WHERE a.attrelid = $1::text::regclass
ORDER BY a.attnum
