-- Tables emptied, and a schema for DMS's control tables.
-- Reads: catalogs, pgleap.carried. Changes: pgleap.chore.

CREATE OR REPLACE FUNCTION pgleap.plan_rows(copy_login name) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    -- Foreign keys are gone by then, so tables can be emptied one by one: all in one would need too many locks.
    INSERT INTO pgleap.chore (phase, rank, object, statements)
    SELECT 'prepare', 50, 'rows of ' || t.name, ARRAY[format('TRUNCATE ONLY %s', t.name)]
    FROM (SELECT name FROM pgleap.carried WHERE NOT partitioned UNION ALL SELECT 'pgleap.marker') AS t;

    -- With grant option: the copy login lets the working login look in.
    INSERT INTO pgleap.chore (phase, rank, object, statements)
    VALUES ('prepare', 60, 'schema pgleap_copy', ARRAY[
        'CREATE SCHEMA IF NOT EXISTS pgleap_copy',
        format('GRANT USAGE, CREATE ON SCHEMA pgleap_copy TO %I WITH GRANT OPTION', copy_login)]);
$$;
