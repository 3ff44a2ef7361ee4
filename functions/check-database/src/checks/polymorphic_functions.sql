-- Aggregates and operators of users over functions whose signature changed. Reads: the catalogs. Changes: nothing.
WITH changed AS (
    SELECT p.oid, p.oid::regprocedure::text AS name
    FROM pg_proc p
    WHERE p.pronamespace = 'pg_catalog'::regnamespace
      AND p.proname IN ('array_append', 'array_cat', 'array_prepend', 'array_remove', 'array_replace', 'array_position',
                        'array_positions', 'width_bucket')
      AND 'anyarray'::regtype = ANY (p.proargtypes)
)
SELECT format('aggregate %s', g.aggfnoid::regprocedure) AS what, c.name AS why
FROM pg_aggregate g JOIN changed c ON c.oid IN (g.aggtransfn, g.aggfinalfn) WHERE g.aggfnoid >= 16384
UNION ALL
SELECT format('operator %I.%s', n.nspname, o.oprname), c.name
FROM pg_operator o JOIN changed c ON c.oid = o.oprcode JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE o.oid >= 16384
