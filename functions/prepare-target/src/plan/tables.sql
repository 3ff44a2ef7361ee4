-- Which tables are carried, partitioned parents included: what the other plans are about.
-- Reads: catalogs. Changes: pgleap.carried. Safe to repeat.

CREATE TABLE IF NOT EXISTS pgleap.carried (
    relid oid PRIMARY KEY,
    name text NOT NULL,       -- qualified and quoted
    partitioned boolean NOT NULL,
    depth int NOT NULL        -- 0 at the top of a tree of partitions
);

CREATE OR REPLACE FUNCTION pgleap.plan_tables(left_schemas text[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO pgleap.carried (relid, name, partitioned, depth)
    SELECT c.oid, format('%I.%I', n.nspname, c.relname), c.relkind = 'p',
           greatest(0, (SELECT count(*) - 1 FROM pg_partition_ancestors(c.oid)))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
      AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgleap', 'pgleap_copy') AND n.nspname <> ALL (left_schemas)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ON CONFLICT DO NOTHING;
    ANALYZE pgleap.carried
$$;
