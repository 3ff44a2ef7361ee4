-- Columns without equality of tables to carry whose rows no key names, nor an index that the run can make their replica identity. A row that is logged whole is still looked for by the
-- primary key if the table has one (PostgreSQL, FindLogicalRepLocalIndex and RelationFindReplTupleByIndex). Arrays and domains are as what they are made of; of
-- enums, ranges and composite types PostgreSQL has it.
-- A cast lends its target's equality only if it is implicit (PostgreSQL, IsBinaryCoercible): xml to text is not.
-- Reads: the catalogs. Changes: nothing.
WITH {identifying}
SELECT format('%s.%I', c.name, a.attname) AS what, b.typname AS why
FROM carried c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
JOIN base_types b ON b.typ = a.atttypid AND b.typtype = 'b'
WHERE NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indimmediate AND x.indisvalid
                    AND (x.indisprimary OR c.relreplident = 'i' AND x.indisreplident))
  AND NOT (c.relreplident <> 'f' AND EXISTS (SELECT FROM identity_indexes i WHERE i.indrelid = c.oid))
  AND NOT EXISTS (SELECT FROM pg_type t
                  JOIN pg_opclass o ON o.opcdefault
                      AND (o.opcintype = t.oid OR o.opcintype IN (SELECT k.casttarget FROM pg_cast k WHERE k.castsource = t.oid AND k.castmethod = 'b' AND k.castcontext = 'i'))
                  JOIN pg_am m ON m.oid = o.opcmethod AND m.amname IN ('btree', 'hash')
                  WHERE t.typname = b.typname AND t.typtype = 'b')
