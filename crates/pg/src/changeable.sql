-- Whether an expression, as the catalogs store it, may say something else of the same row at another time or place: it uses a
-- function that is not immutable, one that somebody has written (and may have replaced, or that looks names up by a search
-- path), the clock, the user, or the text form of a value. {expression} is a pg_node_tree.
-- Functions of operators are looked up, because a stored tree need not name them. Reads: the catalogs.
({expression}::text ~ '\{(SQLVALUEFUNCTION|NEXTVALUEEXPR|COERCEVIAIO|ROWCOMPAREEXPR|XMLEXPR)'
 OR EXISTS (
    SELECT FROM (SELECT f.id[1]::oid AS oid FROM regexp_matches({expression}::text, ':funcid ([0-9]+)', 'g') AS f (id)
                 UNION
                 SELECT o.oprcode::oid FROM regexp_matches({expression}::text, ':opno ([0-9]+)', 'g') AS f (id)
                 JOIN pg_catalog.pg_operator o ON o.oid = f.id[1]::oid) AS used
    JOIN pg_catalog.pg_proc p ON p.oid = used.oid
    WHERE p.provolatile <> 'i' OR p.pronamespace <> 'pg_catalog'::regnamespace))
