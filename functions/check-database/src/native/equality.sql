-- Columns without equality of tables to carry that log whole rows, or would. Arrays and domains are as what they are made of; of
-- enums, ranges and composite types PostgreSQL has it.
-- Reads: the catalogs. Changes: nothing.
SELECT format('%s.%I', c.name, a.attname) AS what, b.typname AS why
FROM carried c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
JOIN base_types b ON b.typ = a.atttypid AND b.typtype = 'b'
WHERE (c.relreplident IN ('f', 'n')
       OR NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indimmediate AND x.indisvalid
                        AND CASE c.relreplident WHEN 'd' THEN x.indisprimary ELSE x.indisreplident END))
  AND NOT EXISTS (SELECT FROM pg_type t
                  JOIN pg_opclass o ON o.opcdefault
                      AND (o.opcintype = t.oid OR o.opcintype IN (SELECT k.casttarget FROM pg_cast k WHERE k.castsource = t.oid AND k.castmethod = 'b'))
                  JOIN pg_am m ON m.oid = o.opcmethod AND m.amname IN ('btree', 'hash')
                  WHERE t.typname = b.typname AND t.typtype = 'b')
