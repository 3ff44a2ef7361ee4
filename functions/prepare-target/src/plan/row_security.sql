-- Row security is switched off on the target until the cutover is completed: a subscription that is not the tables' owner's may
-- not write to a table that has it, and neither may DMS's login, whom no policy lets write. The policies stay; nobody but the run gets in meanwhile.
-- Reads: catalogs, pgleap.carried. Changes: pgleap.chore.
-- Source: PostgreSQL documentation, "Logical Replication", "Security".

CREATE OR REPLACE FUNCTION pgleap.plan_row_security() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH secured AS (
        SELECT k.name FROM pgleap.carried k JOIN pg_class c ON c.oid = k.relid WHERE c.relrowsecurity
    ), off AS (
        INSERT INTO pgleap.chore (phase, rank, object, statements)
        SELECT 'prepare', 10, 'row security of ' || name, ARRAY[format('ALTER TABLE ONLY %s DISABLE ROW LEVEL SECURITY', name)]
        FROM secured
    )
    INSERT INTO pgleap.chore (phase, rank, object, statements)
    SELECT 'complete', 60, 'row security of ' || name, ARRAY[format('ALTER TABLE ONLY %s ENABLE ROW LEVEL SECURITY', name)]
    FROM secured
$$;
