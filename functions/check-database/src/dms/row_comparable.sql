-- Columns without equality of tables to carry without a primary key, among those that travel with their row.
-- Reads: the catalogs. Changes: nothing.
WITH {identifying}, texts AS ({texts}), primary_keys AS MATERIALIZED ({primary_keys})
SELECT format('%s.%I', c.name, a.attname) AS what, b.typname AS why,
       'use copy.engine native (or auto) if the table has a unique index over NOT NULL columns; or ' || coalesce('run ' || k.statements, 'add a primary key') AS remedy
FROM carried c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
JOIN base_types b ON b.typ = a.atttypid AND NOT b.is_array AND b.known AND b.typtype = 'b' AND b.typname = ANY ({in_row})
LEFT JOIN primary_keys k ON k.oid = c.oid
WHERE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
  AND NOT EXISTS (SELECT FROM pg_type t
                  JOIN pg_opclass o ON o.opcdefault
                      AND (o.opcintype = t.oid OR o.opcintype IN (SELECT k.casttarget FROM pg_cast k WHERE k.castsource = t.oid AND k.castmethod = 'b' AND k.castcontext = 'i'))
                  JOIN pg_am m ON m.oid = o.opcmethod AND m.amname IN ('btree', 'hash')
                  WHERE t.typname = b.typname AND t.typtype = 'b')
