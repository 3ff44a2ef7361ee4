-- Replica identities as they were.
-- Reads: pgleap.replica_identity_before. Changes: pgleap.chore.
--
-- What a table logs of its old rows was changed for the run where it had no primary key; the copy came with it.
CREATE OR REPLACE FUNCTION pgleap.plan_replica_identities() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO pgleap.chore (phase, rank, object, statements)
    SELECT 'settle', 1030, format('replica identity of %I.%I', b.schema_name, b.table_name), ARRAY[
        format('ALTER TABLE ONLY %I.%I REPLICA IDENTITY %s', b.schema_name, b.table_name,
               CASE WHEN b.index_name IS NOT NULL THEN format('USING INDEX %I', b.index_name)
                    WHEN b.identity IN ('n', 'i') THEN 'NOTHING' WHEN b.identity = 'f' THEN 'FULL' ELSE 'DEFAULT' END)]
    FROM pgleap.replica_identity_before b
$$;
