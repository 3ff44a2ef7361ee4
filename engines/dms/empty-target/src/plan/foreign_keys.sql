-- Foreign keys: DMS loads tables in any order, and TRUNCATE refuses referenced ones.
-- Built again between load and changes if DMS's sessions can set the replica role, else under the fence as NOT VALID
-- and validated after OPEN. A partitioned table takes no NOT VALID below 18: there its leaves get theirs, and the
-- parent's, added after OPEN, adopts them without a scan.
-- Reads: catalogs, pgleap.carried. Changes: pgleap.chore.

CREATE OR REPLACE FUNCTION pgleap.plan_foreign_keys(replica_role boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key record;
    leaf record;
    add_key text;
    say text[];
BEGIN
    FOR key IN
        SELECT k.oid, k.conrelid::regclass::text AS "table", k.conname AS name, k.convalidated AS valid, c.relkind = 'p' AS partitioned,
               regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '') AS definition,
               format('foreign key %s: %I', k.conrelid::regclass, k.conname) AS object,
               obj_description(k.oid, 'pg_constraint') AS comment,
               k.confrelid AS referenced, NOT EXISTS (SELECT FROM pgleap.carried t WHERE t.relid = k.conrelid) AS stays_behind, pg_total_relation_size(k.conrelid) AS weight
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        WHERE k.contype = 'f' AND k.conparentid = 0
          AND EXISTS (SELECT FROM pgleap.carried t WHERE t.relid IN (k.conrelid, k.confrelid))
    LOOP
        add_key := format('ALTER TABLE %s ADD CONSTRAINT %I %s', key."table", key.name, key.definition);
        say := CASE WHEN key.comment IS NOT NULL
                    THEN ARRAY[format('COMMENT ON CONSTRAINT %I ON %s IS %L', key.name, key."table", key.comment)] ELSE '{}' END;
        INSERT INTO pgleap.chore (phase, rank, object, statements)
        VALUES ('prepare', 20, key.object, ARRAY[format('ALTER TABLE %s DROP CONSTRAINT %I', key."table", key.name)]);
        -- Optional: rows that are not consistent before the changes are caught up leave it to the fence.
        IF replica_role AND key.valid THEN
            INSERT INTO pgleap.chore (phase, rank, object, statements, weight, optional)
            VALUES ('rebuild', 40, key.object, ARRAY[add_key] || say || format(
                'UPDATE pgleap.chore SET done_at = clock_timestamp() WHERE object = %L AND phase IN (''complete'', ''settle'')', key.object),
                key.weight, true);
        END IF;
        IF NOT key.partitioned THEN
            INSERT INTO pgleap.chore (phase, rank, object, statements) VALUES ('complete', 40, key.object, ARRAY[add_key || ' NOT VALID'] || say);
            -- A table that goes live as of the snapshot may refer to rows that are gone since: then its key stays NOT VALID.
            INSERT INTO pgleap.chore (phase, rank, object, statements, weight, optional)
            SELECT 'settle', 1000, key.object, ARRAY[format('ALTER TABLE %s VALIDATE CONSTRAINT %I', key."table", key.name)],
                   key.weight, key.stays_behind
            WHERE key.valid;
            CONTINUE;
        END IF;
        FOR leaf IN
            WITH RECURSIVE tree AS (
                SELECT k.oid, k.conrelid, k.conname FROM pg_constraint k WHERE k.oid = key.oid
                UNION ALL
                SELECT k.oid, k.conrelid, k.conname FROM pg_constraint k JOIN tree p ON k.conparentid = p.oid
                WHERE k.confrelid = key.referenced AND k.conrelid <> p.conrelid)
            SELECT t.conrelid::regclass::text AS "table", t.conname AS name, pg_get_constraintdef(t.oid) AS definition,
                   pg_total_relation_size(t.conrelid) AS weight
            FROM tree t JOIN pg_class c ON c.oid = t.conrelid WHERE c.relkind = 'r'
        LOOP
            INSERT INTO pgleap.chore (phase, rank, object, statements)
            VALUES ('complete', 40, key.object, ARRAY[format('ALTER TABLE %s ADD CONSTRAINT %I %s NOT VALID', leaf."table", leaf.name, leaf.definition)]);
            INSERT INTO pgleap.chore (phase, rank, object, statements, weight)
            VALUES ('settle', 1000, key.object, ARRAY[format('ALTER TABLE %s VALIDATE CONSTRAINT %I', leaf."table", leaf.name)], leaf.weight);
        END LOOP;
        INSERT INTO pgleap.chore (phase, rank, object, statements) VALUES ('settle', 1010, key.object, ARRAY[add_key] || say);
    END LOOP;
END $$;
