-- Tables emptied, and DMS's login allowed to fill them: rights on each table, on the functions that a write may call (in an
-- index, a check, a domain, a generated column, and what those call), a schema for DMS's control tables.
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
    SELECT 'prepare', 60, 'rights on schema ' || quote_ident(n.nspname),
           array_agg(format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, dms_login))
    FROM pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND pg_has_role(n.nspowner, 'USAGE')
    GROUP BY n.nspname;

    INSERT INTO pgleap.chore (phase, rank, object, statements)
    SELECT 'prepare', 60, 'rights on functions of schema ' || quote_ident(n.nspname),
           array_agg(format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure, dms_login))
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname !~ '^(pg_|pgleap$)' AND n.nspname <> 'information_schema' AND p.prokind = 'f'
      AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
      AND pg_has_role(p.proowner, 'USAGE') AND NOT has_function_privilege(dms_login, p.oid, 'EXECUTE')
    GROUP BY n.nspname;

    -- With grant option: under the fence DMS's login shows its tables to the working login before it is shut out.
    INSERT INTO pgleap.chore (phase, rank, object, statements)
    VALUES ('prepare', 60, 'schema pgleap_dms', ARRAY[
        'CREATE SCHEMA IF NOT EXISTS pgleap_dms',
        format('GRANT USAGE, CREATE ON SCHEMA pgleap_dms TO %I WITH GRANT OPTION', dms_login)]);
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
