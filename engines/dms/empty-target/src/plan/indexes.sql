-- Secondary indexes and the constraints that live in them: a load is many times faster without.
-- Not set aside: primary keys, replica identities, the only unique key of a table without a primary key (DMS finds rows
-- by it), invalid ones, what another object depends on, and from 17 on indexes over functions that may need a search path:
-- building an index has none there, writing to it has. A partitioned index and its children share one fate.
-- Children are built under their own names and attached: one statement for the parent would rename them all.
-- Reads: catalogs, pgleap.carried. Changes: pgleap.chore.

CREATE OR REPLACE FUNCTION pgleap.plan_indexes() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    index record;
    make text;
    say text[];
BEGIN
    CREATE TEMP TABLE found ON COMMIT DROP AS
    SELECT i.indexrelid, i.indrelid, coalesce(pg_partition_root(i.indexrelid), i.indexrelid)::oid AS root,
           (SELECT h.inhparent FROM pg_inherits h WHERE h.inhrelid = i.indexrelid) AS parent,
           c.relkind = 'I' AS partitioned, k.oid AS constraint,
           i.indisprimary OR i.indisreplident OR (c.relkind = 'i' AND NOT i.indisvalid) OR EXISTS (
               SELECT FROM pg_depend d
               WHERE d.deptype = 'n' AND NOT EXISTS (SELECT FROM pg_constraint f WHERE d.classid = 'pg_constraint'::regclass AND f.oid = d.objid AND f.contype = 'f')
                 AND ((d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indexrelid) OR (d.refclassid = 'pg_constraint'::regclass AND d.refobjid = k.oid))
           ) OR (current_setting('server_version_num')::int >= 170000 AND EXISTS (
               SELECT FROM pg_depend d
               JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
               JOIN pg_language l ON l.oid = p.prolang
               WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND l.lanname NOT IN ('internal', 'c')
                 AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS setting WHERE setting LIKE 'search_path=%')
           )) AS needed
    FROM pg_index i
    JOIN pgleap.carried t ON t.relid = i.indrelid
    JOIN pg_class c ON c.oid = i.indexrelid
    LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x');

    -- The key that DMS finds rows by where there is no primary key: the one without NULLs, then the narrowest.
    UPDATE found SET needed = true WHERE indexrelid IN (
        SELECT DISTINCT ON (i.indrelid) i.indexrelid
        FROM pg_index i JOIN pgleap.carried t ON t.relid = i.indrelid AND NOT t.partitioned
        WHERE i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
          AND NOT EXISTS (SELECT FROM pg_index p WHERE p.indrelid = i.indrelid AND p.indisprimary)
        ORDER BY i.indrelid, (SELECT bool_and(a.attnotnull) FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)) DESC,
                 i.indnkeyatts, i.indexrelid);

    FOR index IN
        SELECT f.*, c.relname AS name, f.indexrelid::regclass::text AS qualified, f.indrelid::regclass::text AS "table",
               pg_get_indexdef(f.indexrelid) AS definition, c.reloptions AS options, s.spcname AS tablespace, i.indisclustered AS clustered,
               pg_relation_size(f.indexrelid) AS weight, k.contype AS constraint_type, pg_get_constraintdef(k.oid) AS constraint_definition,
               concat(CASE WHEN k.condeferrable THEN ' DEFERRABLE' END, CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' END) AS deferral,
               obj_description(f.indexrelid, 'pg_class') AS comment, obj_description(k.oid, 'pg_constraint') AS constraint_comment
        FROM found f JOIN pg_class c ON c.oid = f.indexrelid JOIN pg_index i ON i.indexrelid = f.indexrelid
        LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
        LEFT JOIN pg_constraint k ON k.oid = f.constraint
        WHERE NOT EXISTS (SELECT FROM found r WHERE r.root = f.root AND r.needed)
    LOOP
        IF index.indexrelid = index.root THEN
            INSERT INTO pgleap.chore (phase, rank, object, statements) VALUES ('prepare', 30, 'index ' || index.qualified, ARRAY[
                CASE WHEN index.constraint IS NULL THEN format('DROP INDEX %s', index.qualified)
                     ELSE format('ALTER TABLE %s DROP CONSTRAINT %I', index."table", index.name) END]);
        END IF;

        make := index.definition;
        IF index.constraint_type = 'x' OR (index.partitioned AND index.constraint IS NOT NULL) THEN
            make := format('ALTER TABLE ONLY %s ADD CONSTRAINT %I %s', index."table", index.name,
                           pgleap.with_options(index.constraint_definition, index.constraint_type, index.options));
        END IF;
        say := ARRAY(
            SELECT format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', index.qualified, a.attnum, a.attstattarget)
            FROM pg_attribute a WHERE a.attrelid = index.indexrelid AND a.attstattarget >= 0 ORDER BY a.attnum);
        say := say || ARRAY(
            SELECT format('ALTER INDEX %s DEPENDS ON EXTENSION %I', index.qualified, e.extname)
            FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
            WHERE d.classid = 'pg_class'::regclass AND d.objid = index.indexrelid AND d.deptype = 'x');
        IF index.comment IS NOT NULL THEN
            say := say || format('COMMENT ON INDEX %s IS %L', index.qualified, index.comment);
        END IF;
        -- The lock of a plain index lets others build on the same table; that of a constraint does not, so it comes
        -- after, in a transaction of its own: two workers that both want the stronger one would wait for each other.
        INSERT INTO pgleap.chore (phase, rank, object, statements, weight)
        VALUES ('rebuild', CASE WHEN index.partitioned THEN 20 WHEN index.constraint_type = 'x' THEN 12 ELSE 10 END, 'index ' || index.qualified,
                CASE WHEN index.tablespace IS NOT NULL THEN ARRAY[format('SET LOCAL default_tablespace = %I', index.tablespace)] ELSE '{}' END
                || make || say, index.weight);

        say := '{}';
        IF index.constraint_type = 'u' AND NOT index.partitioned THEN
            say := say || format('ALTER TABLE %s ADD CONSTRAINT %I UNIQUE USING INDEX %I%s', index."table", index.name, index.name, index.deferral);
        END IF;
        IF index.constraint_comment IS NOT NULL THEN
            say := say || format('COMMENT ON CONSTRAINT %I ON %s IS %L', index.name, index."table", index.constraint_comment);
        END IF;
        IF index.clustered THEN
            say := say || format('ALTER TABLE %s CLUSTER ON %I', index."table", index.name);
        END IF;
        INSERT INTO pgleap.chore (phase, rank, object, statements)
        SELECT 'rebuild', CASE WHEN index.partitioned THEN 21 ELSE 15 END, 'constraint ' || index.qualified, say WHERE say <> '{}';
        INSERT INTO pgleap.chore (phase, rank, object, statements)
        SELECT 'rebuild', 25, 'partition ' || index.qualified, ARRAY[format('ALTER INDEX %s ATTACH PARTITION %s', index.parent::regclass, index.qualified)]
        WHERE index.parent IS NOT NULL;
    END LOOP;
END $$;

-- pg_get_constraintdef leaves out the storage parameters of a unique constraint's index, but not of an exclusion's.
CREATE OR REPLACE FUNCTION pgleap.with_options(definition text, kind "char", options text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN options IS NULL OR kind <> 'u' THEN definition
                ELSE regexp_replace(definition, '( DEFERRABLE.*)?$', format(' WITH (%s)\1', array_to_string(options, ', '))) END
$$;
