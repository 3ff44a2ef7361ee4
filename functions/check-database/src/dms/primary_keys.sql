-- Part of queries: how a table to carry gets a primary key out of a unique index over NOT NULL columns, without a rewrite: oid,
-- statements. Not of an index over large values, but for those of type text, which become varchar first.
-- Reads: the catalogs. Changes: nothing.
SELECT DISTINCT ON (c.oid) c.oid,
       coalesce(k.texts, '')
       || CASE WHEN k.is_free THEN format('ALTER TABLE %s ADD PRIMARY KEY USING INDEX %I;', c.name, i.relname)
               ELSE format('CREATE UNIQUE INDEX CONCURRENTLY %1$I ON %2$s (%3$s); ALTER TABLE %2$s ADD PRIMARY KEY USING INDEX %1$I;',
                           left(c.relname, 50) || '_key_of_rows', c.name, k.columns) END AS statements
FROM carried c
JOIN identifying i ON i.indrelid = c.oid
JOIN (
    SELECT u.indexrelid, string_agg(quote_ident(a.attname), ', ' ORDER BY u.place) FILTER (WHERE u.place <= u.indnkeyatts) AS columns,
           -- PostgreSQL takes no index for it that belongs to a constraint or sorts in a way of its own.
           bool_and(f.conindid IS NULL AND NOT x.relispartition AND (o.oid IS NULL OR o.opcdefault AND a.attcollation = u.collation_oid AND u.option = 0)) AS is_free,
           bool_or(b.typ IS NOT NULL AND t.statement IS NULL) AS is_large,
           string_agg(t.statement, ' ' ORDER BY t.attnum) || ' ' AS texts
    FROM (SELECT i.indexrelid, i.indrelid, i.indnkeyatts, c.*
          FROM identifying i
          CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indcollation::oid[], i.indclass::oid[], i.indoption::int2[])
              WITH ORDINALITY AS c (number, collation_oid, class, option, place)
          OFFSET 0) u -- apart, so that the joins below are not made for each index anew
    JOIN pg_class x ON x.oid = u.indexrelid
    JOIN pg_attribute a ON a.attrelid = u.indrelid AND a.attnum = u.number
    LEFT JOIN pg_opclass o ON o.oid = u.class
    LEFT JOIN (SELECT DISTINCT conindid FROM pg_constraint WHERE contype IN ('p', 'u', 'x', 'f')) f ON f.conindid = u.indexrelid
    LEFT JOIN base_types b ON b.typ = a.atttypid AND (b.is_array OR b.known AND b.typname = ANY ({apart}))
    LEFT JOIN texts t ON t.attrelid = a.attrelid AND t.attnum = a.attnum AND b.typ IS NOT NULL
    GROUP BY u.indexrelid
) k ON k.indexrelid = i.indexrelid AND NOT k.is_large
WHERE NOT EXISTS (SELECT FROM pg_index p WHERE p.indrelid = c.oid AND p.indisprimary)
ORDER BY c.oid, k.texts IS NOT NULL, k.is_free DESC, i.indnkeyatts, i.relname
