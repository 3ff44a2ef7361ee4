-- What the checks' queries begin with (between WITH and the check's own query). $1: schemas that go live as of the snapshot.
-- Reads: the catalogs. Changes: nothing.
spaces AS (
    SELECT n.oid, n.nspname
    FROM pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgleap', 'pgleap_copy')
      AND n.nspname <> ALL ($1::text[])
), relations AS (
    -- Tables of extensions are carried by nobody: the snapshot brings them.
    SELECT c.oid, c.relname, c.relkind, c.relpersistence, c.relowner, c.relreplident, c.relrowsecurity, c.relispartition,
           s.oid AS space, s.nspname, format('%I.%I', s.nspname, c.relname) AS name
    FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
), carried AS (
    SELECT * FROM relations r WHERE r.relkind = 'r' AND r.relpersistence = 'p'
), base_types AS MATERIALIZED (
    -- Each type that a column has (a short list, which keeps every plan with it fast), with the base that a domain stands for, and the element that an array is made of; through both, so that
    -- a domain over an array of a domain comes down to what DMS sees.
    WITH RECURSIVE down AS (
        SELECT t.oid AS typ, t.oid AS base, -1 AS modifier, false AS is_array, false AS domain_not_null
        FROM pg_type t
        WHERE t.oid IN (SELECT a.atttypid FROM pg_attribute a WHERE a.attnum > 0)
        UNION ALL
        SELECT d.typ,
               CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END,
               CASE WHEN d.modifier = -1 THEN t.typtypmod ELSE d.modifier END,
               d.is_array OR t.typtype <> 'd',
               d.domain_not_null OR (t.typtype = 'd' AND t.typnotnull AND NOT d.is_array)
        FROM down d JOIN pg_type t ON t.oid = d.base
        WHERE t.typtype = 'd' OR t.typcategory = 'A' AND t.typelem <> 0
    )
    SELECT d.typ, d.modifier, d.is_array, d.domain_not_null, t.typname, t.typtype,
           n.nspname = 'pg_catalog' OR EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e') AS known
    FROM down d JOIN pg_type t ON t.oid = d.base JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype <> 'd' AND NOT (t.typcategory = 'A' AND t.typelem <> 0)
)
