-- Autovacuum of the tables that are carried.
-- Reads: catalogs, pgleap.carried. Changes: pgleap.chore.
--
-- It is kept off just before the fence and let back first of all after OPEN: whoever wants its lock waits a second until it
-- gives way, and one against wraparound never does.
-- Source: PostgreSQL documentation, deadlock_timeout; "Routine Vacuuming", the autovacuum daemon.
CREATE OR REPLACE FUNCTION pgleap.plan_autovacuum() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    -- Where the user has set it, all options are set again, so that they keep their order.
    WITH vacuumed AS (
        SELECT k.name, (SELECT string_agg(format('%I = %L', o.option_name, o.option_value), ', ' ORDER BY o.ordinality)
                        FROM pg_options_to_table(c.reloptions) WITH ORDINALITY AS o
                        HAVING bool_or(o.option_name = 'autovacuum_enabled')) AS options
        FROM pgleap.carried k JOIN pg_class c ON c.oid = k.relid WHERE NOT k.partitioned
    ), off AS (
        INSERT INTO pgleap.chore (phase, rank, object, statements)
        SELECT 'calm', 10, 'autovacuum of ' || name, ARRAY[format('ALTER TABLE %s SET (autovacuum_enabled = false)', name)] FROM vacuumed
    )
    INSERT INTO pgleap.chore (phase, rank, object, statements)
    SELECT 'settle', -1, 'autovacuum of ' || name, ARRAY[format('ALTER TABLE %s %s', name,
        CASE WHEN options IS NULL THEN 'RESET (autovacuum_enabled)' ELSE format('SET (%s)', options) END)]
    FROM vacuumed
$$;
