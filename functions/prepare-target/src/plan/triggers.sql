-- Triggers and rules must not act on what the copy engine writes: the rows that they would write arrive from the source. Each
-- is switched off by itself, clones on partitions too, and gets its own state back.
-- acting: the states (pg_trigger.tgenabled) in which they act on a write of the engine's. An ordinary session sets off those
-- of origin and local, an apply worker those of a replica, and both set off ALWAYS ones.
-- Reads: catalogs, pgleap.carried. Changes: pgleap.chore.

CREATE OR REPLACE FUNCTION pgleap.plan_triggers(acting text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    -- Clones are "internal" up to 14; internal ones of constraints (foreign keys, deferred uniqueness) are not ours.
    WITH switch AS (
        SELECT 'trigger' AS kind, k.name AS "table", k.depth, t.tgname AS name, t.tgenabled AS state, t.tgparentid <> 0 AS clone
        FROM pg_trigger t JOIN pgleap.carried k ON k.relid = t.tgrelid
        WHERE NOT t.tgisinternal
           OR (t.tgparentid <> 0 AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.oid = t.tgconstraint AND c.contype <> 't'))
        UNION ALL
        SELECT 'rule', k.name, k.depth, r.rulename, r.ev_enabled, false
        FROM pg_rewrite r JOIN pgleap.carried k ON k.relid = r.ev_class
    ), off AS (
        INSERT INTO pgleap.chore (phase, rank, object, statements)
        SELECT 'prepare', 10, format('%s %s: %I', kind, "table", name), ARRAY[format('ALTER TABLE ONLY %s DISABLE %s %I', "table", kind, name)]
        FROM switch WHERE strpos(acting, state::text) > 0
    )
    -- Parents first: on some majors they take their clones along.
    INSERT INTO pgleap.chore (phase, rank, object, statements)
    SELECT 'complete', 60 + depth, format('%s %s: %I', kind, "table", name),
           ARRAY[format('ALTER TABLE ONLY %s %s %s %I', "table",
                        CASE state WHEN 'O' THEN 'ENABLE' WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'DISABLE' END, kind, name)]
    FROM switch s
    WHERE strpos(acting, state::text) > 0
       OR clone AND EXISTS (SELECT FROM switch o WHERE o.name = s.name AND strpos(acting, o.state::text) > 0)
$$;
