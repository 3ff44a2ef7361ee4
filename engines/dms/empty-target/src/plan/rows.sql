-- Tables emptied, and DMS's login allowed to fill them: rights on each table, on the functions that a write may call (in an
-- index, a check, a domain, a generated column, and what those call), a schema for DMS's control tables.
-- Reads: catalogs, pgleap.carried. Changes: pgleap.chore.

CREATE OR REPLACE FUNCTION pgleap.plan_rows(copy_login name) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    -- Foreign keys are gone by then, so tables can be emptied one by one: all in one would need too many locks.
    INSERT INTO pgleap.chore (phase, rank, object, statements)
    SELECT 'prepare', 50, 'rows of ' || t.name, ARRAY[
        format('TRUNCATE ONLY %s', t.name),
        format('GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON %s TO %I', t.name, copy_login)]
    FROM (SELECT name FROM pgleap.carried WHERE NOT partitioned UNION ALL SELECT 'pgleap.marker') AS t;

    INSERT INTO pgleap.chore (phase, rank, object, statements)
    SELECT 'prepare', 60, 'rights on schema ' || quote_ident(n.nspname),
           array_agg(format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, copy_login))
    FROM pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND pg_has_role(n.nspowner, 'USAGE')
    GROUP BY n.nspname;

    INSERT INTO pgleap.chore (phase, rank, object, statements)
    SELECT 'prepare', 60, 'rights on functions of schema ' || quote_ident(n.nspname),
           array_agg(format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure, copy_login))
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname !~ '^(pg_|pgleap$)' AND n.nspname <> 'information_schema' AND p.prokind = 'f'
      AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
      AND pg_has_role(p.proowner, 'USAGE') AND NOT has_function_privilege(copy_login, p.oid, 'EXECUTE')
    GROUP BY n.nspname;

    -- With grant option: the copy login lets the working login look in.
    INSERT INTO pgleap.chore (phase, rank, object, statements)
    VALUES ('prepare', 60, 'schema pgleap_copy', ARRAY[
        'CREATE SCHEMA IF NOT EXISTS pgleap_copy',
        format('GRANT USAGE, CREATE ON SCHEMA pgleap_copy TO %I WITH GRANT OPTION', copy_login)]);
$$;
