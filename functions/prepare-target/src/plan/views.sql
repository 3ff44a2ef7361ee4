-- Materialized views: refreshed once before the changes, which measures them, and once more when the data is final.
-- One that is not populated stays so. Statistics of what a view reads come first, or the refresh may take for ever.
-- Reads: catalogs, pgleap.carried. Changes: pgleap.view, pgleap.chore.

CREATE TABLE IF NOT EXISTS pgleap.view (
    object text PRIMARY KEY,   -- as in pgleap.chore
    level int NOT NULL,        -- above those that it reads
    needs text[] NOT NULL      -- materialized views that it reads
);

CREATE OR REPLACE FUNCTION pgleap.plan_views(left_schemas text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Who reads whom, through views in between.
    CREATE TEMP TABLE reads ON COMMIT DROP AS
    WITH RECURSIVE direct AS (
        SELECT DISTINCT r.ev_class AS reader, d.refobjid AS read
        FROM pg_rewrite r
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
    ), through AS (
        SELECT c.oid AS reader, d.read FROM pg_class c JOIN direct d ON d.reader = c.oid WHERE c.relkind = 'm'
        UNION
        SELECT t.reader, d.read FROM through t JOIN direct d ON d.reader = t.read
    )
    SELECT t.reader, t.read, c.relkind FROM through t JOIN pg_class c ON c.oid = t.read;

    -- A view's level is the number of materialized views below it: it is above each of them.
    INSERT INTO pgleap.view (object, level, needs)
    SELECT format('materialized view %s', c.oid::regclass), count(r.read),
           coalesce(array_agg(format('materialized view %s', r.read::regclass)) FILTER (WHERE r.read IS NOT NULL), '{}')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN reads r ON r.reader = c.oid AND r.relkind = 'm'
    WHERE c.relkind = 'm' AND c.relispopulated AND n.nspname !~ '^pg_' AND n.nspname <> ALL (left_schemas)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    GROUP BY c.oid;

    -- Optional: an index over a function that needs a search path lets no ANALYZE of its table pass, from 17 on.
    INSERT INTO pgleap.chore (phase, rank, object, statements, weight, optional)
    SELECT DISTINCT 'rebuild', 45, format('statistics of %s', r.read::regclass), ARRAY[format('ANALYZE %s', r.read::regclass)], pg_relation_size(r.read), true
    FROM reads r JOIN pgleap.carried k ON k.relid = r.read;

    -- Optional: a view that cannot be refreshed on the source either keeps the content that the upgrade has brought.
    INSERT INTO pgleap.chore (phase, rank, object, statements, optional)
    SELECT 'rebuild', 50 + v.level, v.object, ARRAY['REFRESH ' || upper(left(v.object, 17)) || substr(v.object, 18)], true FROM pgleap.view v;

    -- After OPEN they come before the validations: what is stale is seen, what is not validated holds all the same.
    -- Readers are not kept waiting where a unique index lets the view be brought up to date row by row.
    INSERT INTO pgleap.chore (phase, rank, object, statements)
    SELECT 'settle', v.level, v.object, ARRAY[format('REFRESH MATERIALIZED VIEW %s%s',
        CASE WHEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = substr(v.object, 19)::regclass AND i.indisunique AND i.indisvalid
                            AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL) THEN 'CONCURRENTLY ' ELSE '' END,
        substr(v.object, 19))]
    FROM pgleap.view v;
END $$;
