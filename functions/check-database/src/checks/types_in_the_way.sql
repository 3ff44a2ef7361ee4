-- Stored columns whose type is, or is made of, one that pg_upgrade refuses between these majors; every schema, because all of
-- them are upgraded. Reads: the catalogs. Changes: nothing.
WITH RECURSIVE refused AS (
    SELECT t.oid, t.typname AS root
    FROM pg_type t JOIN (VALUES ('regproc', 0), ('regprocedure', 0), ('regoper', 0), ('regoperator', 0), ('regconfig', 0),
                                ('regdictionary', 0), ('regcollation', 0), ('regnamespace', 0), ('aclitem', 16)) AS v (name, since)
      ON t.typname = v.name AND t.typnamespace = 'pg_catalog'::regnamespace
    WHERE v.since = 0 OR {major} < v.since AND {target_major} >= v.since
    UNION
    SELECT m.oid, b.root
    FROM refused b JOIN (
        SELECT t.oid, t.typbasetype AS part FROM pg_type t WHERE t.typtype = 'd'
        UNION ALL SELECT t.oid, t.typelem FROM pg_type t WHERE t.typelem <> 0
        UNION ALL SELECT g.rngtypid, g.rngsubtype FROM pg_range g
        UNION ALL SELECT c.reltype, a.atttypid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                  WHERE c.relkind = 'c' AND NOT a.attisdropped) AS m ON m.part = b.oid
)
SELECT format('%I.%I.%I', n.nspname, c.relname, a.attname) AS what, min(b.root) AS why
FROM refused b JOIN pg_attribute a ON a.atttypid = b.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'm', 'p')
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
GROUP BY 1
