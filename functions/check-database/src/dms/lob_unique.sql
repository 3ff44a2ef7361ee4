-- Unique indexes of tables to carry that take a row in, or compare it, as if its large values were null, while they are so for a
-- moment. Exclusion constraints are such indexes too. Reads: the catalogs. Changes: nothing.
-- The database computes it with the values that the row has a statement later, so the source need not have refused the row.
WITH large AS ({large}), texts AS ({texts}), indexes AS (
    SELECT c.oid, c.name, x.relname, i.indpred, i.indexprs, to_jsonb(i) ->> 'indnullsnotdistinct' = 'true' AS nulls_are_equal,
           (i.indkey::int2[])[0:i.indnkeyatts - 1] AS key
    FROM pg_index i JOIN carried c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
    WHERE (i.indisunique OR i.indisexclusion) AND NOT i.indisprimary
), mentioned AS (
    SELECT i.oid, i.name, i.relname, l.attnum, l.attname, l.is_null, i.nulls_are_equal, l.attnum = ANY (i.key) AS in_key,
           i.indpred, (strpos(i.indpred::text, format(':varattno %s ', l.attnum)) > 0 OR strpos(i.indpred::text, ':varattno 0 ') > 0) AS in_predicate,
           i.indexprs, (strpos(i.indexprs::text, format(':varattno %s ', l.attnum)) > 0 OR strpos(i.indexprs::text, ':varattno 0 ') > 0) AS in_expression
    FROM indexes i JOIN large l ON l.attrelid = i.oid
), judged AS (
    SELECT m.*,
           CASE WHEN m.in_predicate AND (NOT m.is_null OR NOT {is_not_true_of_null}) THEN 'its predicate may be true while %s is null'
                WHEN m.in_key AND m.nulls_are_equal THEN 'it treats nulls as equal (NULLS NOT DISTINCT), and %s is null until the second step'
                WHEN m.in_key AND NOT m.is_null THEN '%s is generated from a value that is null until the second step'
                WHEN m.in_expression AND (NOT m.is_null OR NOT {expressions_are_null}) THEN 'one of its expressions may have a value while %s is null' END AS why
    FROM mentioned m
)
SELECT format('%I on %s', j.relname, j.name) AS what, string_agg(format(j.why, quote_ident(j.attname)), '; ' ORDER BY j.attnum) AS why,
       'use copy.engine native (or auto)' || coalesce('; or run ' || CASE WHEN bool_and(t.statement IS NOT NULL) THEN string_agg(t.statement, ' ' ORDER BY j.attnum) END
           || ' this rewrites no table, but it builds this index again, and the table cannot be read or written meanwhile', '') AS remedy
FROM judged j LEFT JOIN texts t ON t.attrelid = j.oid AND t.attnum = j.attnum
WHERE j.why IS NOT NULL GROUP BY j.oid, j.relname, j.name
