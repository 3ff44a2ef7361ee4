-- Part of queries: how a table to carry gets a primary key out of a unique index over NOT NULL columns, without a rewrite: oid,
-- statements. Not of an index over large values, but for those of type text, which become varchar first.
-- Reads: the catalogs. Changes: nothing.
SELECT DISTINCT ON (c.oid) c.oid,
       coalesce(texts.statement, '')
       || CASE WHEN own.is_free THEN format('ALTER TABLE %s ADD PRIMARY KEY USING INDEX %I;', c.name, x.relname)
               ELSE format('CREATE UNIQUE INDEX CONCURRENTLY %1$I ON %2$s (%3$s); ALTER TABLE %2$s ADD PRIMARY KEY USING INDEX %1$I;',
                           left(c.relname, 50) || '_key_of_rows', c.name, keys.columns) END AS statements
FROM carried c
JOIN identifying i ON i.indrelid = c.oid
JOIN pg_class x ON x.oid = i.indexrelid
CROSS JOIN LATERAL (
    -- PostgreSQL takes no index for it that belongs to a constraint or sorts in a way of its own.
    SELECT NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid) AND NOT x.relispartition
           AND 0 = ALL (i.indoption::int2[])
           AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[], i.indcollation::oid[], i.indclass::oid[]) AS u (number, collation_oid, class)
                           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.number
                           JOIN pg_opclass o ON o.oid = u.class
                           WHERE a.attcollation <> u.collation_oid OR NOT o.opcdefault) AS is_free
) own
CROSS JOIN LATERAL (
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY u.place) AS columns
    FROM unnest(i.indkey::int2[]) WITH ORDINALITY u (number, place)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.number WHERE u.place <= i.indnkeyatts
) keys
LEFT JOIN LATERAL (
    SELECT bool_or(t.statement IS NULL) AS impossible, string_agg(t.statement, ' ' ORDER BY t.attnum) || ' ' AS statement
    FROM pg_attribute a
    JOIN base_types b ON b.typ = a.atttypid AND (b.is_array OR b.known AND b.typname = ANY ({apart}))
    LEFT JOIN texts t ON t.attrelid = a.attrelid AND t.attnum = a.attnum
    WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
) texts ON true
WHERE NOT EXISTS (SELECT FROM pg_index p WHERE p.indrelid = c.oid AND p.indisprimary)
  AND texts.impossible IS NOT TRUE
ORDER BY c.oid, texts.statement IS NOT NULL, own.is_free DESC, i.indnkeyatts, i.relname
