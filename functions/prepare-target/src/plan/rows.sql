-- Tables emptied, and DMS's login allowed to fill them: rights on each table, a schema for DMS's control tables.
-- Reads: catalogs, pgleap.carried. Changes: pgleap.chore.

CREATE OR REPLACE FUNCTION pgleap.plan_rows(dms_login name) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    -- Foreign keys are gone by then, so tables can be emptied one by one: all in one would need too many locks.
    INSERT INTO pgleap.chore (phase, rank, object, statements)
    SELECT 'prepare', 50, 'rows of ' || t.name, ARRAY[
        format('TRUNCATE ONLY %s', t.name),
        format('GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON %s TO %I', t.name, dms_login)]
    FROM (SELECT name FROM pgleap.carried WHERE NOT partitioned UNION ALL SELECT 'pgleap.marker') AS t;

    INSERT INTO pgleap.chore (phase, rank, object, statements)
    SELECT 'prepare', 60, 'rights on schema ' || s.name, ARRAY[format('GRANT USAGE ON SCHEMA %s TO %I', s.name, dms_login)]
    FROM (SELECT DISTINCT c.relnamespace::regnamespace::text AS name FROM pgleap.carried k JOIN pg_class c ON c.oid = k.relid
          UNION ALL SELECT 'pgleap') AS s;

    INSERT INTO pgleap.chore (phase, rank, object, statements)
    VALUES ('prepare', 60, 'schema pgleap_dms', ARRAY[
        'CREATE SCHEMA IF NOT EXISTS pgleap_dms', format('GRANT USAGE, CREATE ON SCHEMA pgleap_dms TO %I', dms_login)]);
$$;

-- Autovacuum is kept off just before the fence and let back first of all after OPEN: whoever wants its lock waits a second until it
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

-- What a table logs of its old rows was changed for the run where it had no primary key; the copy came with it.
CREATE OR REPLACE FUNCTION pgleap.plan_replica_identities() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO pgleap.chore (phase, rank, object, statements)
    SELECT 'settle', 1030, format('replica identity of %I.%I', b.schema_name, b.table_name), ARRAY[
        format('ALTER TABLE ONLY %I.%I REPLICA IDENTITY %s', b.schema_name, b.table_name,
               CASE b.identity WHEN 'n' THEN 'NOTHING' WHEN 'f' THEN 'FULL' WHEN 'i' THEN format('USING INDEX %I', b.index_name) ELSE 'DEFAULT' END)]
    FROM pgleap.replica_identity_before b
$$;
