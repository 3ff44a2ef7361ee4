-- Columns as DMS needs them while it writes: a large value comes in a second statement, so its column is NULL for a
-- moment, and an INSERT names the identity column.
-- NOT NULL comes back without a scan: under the fence as a check (from 18 on as itself) that is not validated, after
-- OPEN validated and, below 18, made the column's own.
-- Reads: catalogs, pgleap.carried. Changes: pgleap.chore.

CREATE OR REPLACE FUNCTION pgleap.plan_columns(lob_types text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    lob record;
    names_not_null boolean := current_setting('server_version_num')::int >= 180000;
    label text;
    definition text;
BEGIN
    -- Large columns under the types that domains stand for; what is computed from them is NULL for the same moment.
    CREATE TEMP TABLE large ON COMMIT DROP AS
    WITH RECURSIVE base AS (
        SELECT t.oid, t.oid AS base, t.typbasetype FROM pg_type t
        UNION ALL
        SELECT b.oid, t.oid, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.typbasetype WHERE b.typbasetype <> 0
    )
    SELECT a.attrelid, a.attnum, a.attname, a.attnotnull, false AS computed
    FROM pgleap.carried k
    JOIN pg_attribute a ON a.attrelid = k.relid AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity = ''
    JOIN base b ON b.oid = a.atttypid AND b.typbasetype = 0
    JOIN pg_type t ON t.oid = b.base
    WHERE t.typname = ANY (lob_types) OR t.typcategory = 'A' OR t.typtype = 'c';
    INSERT INTO large
    SELECT a.attrelid, a.attnum, a.attname, a.attnotnull, true
    FROM pg_attribute a
    WHERE a.attgenerated = 's' AND a.attrelid IN (SELECT attrelid FROM large) AND (a.attrelid, a.attnum) NOT IN (SELECT attrelid, attnum FROM large);

    FOR lob IN
        SELECT l.attname AS column, l.attnum, k.name AS "table", pg_total_relation_size(l.attrelid) AS weight,
               format('not null %s.%I', k.name, l.attname) AS object, l.attrelid
        FROM large l JOIN pgleap.carried k ON k.relid = l.attrelid
        WHERE l.attnotnull
          AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = l.attrelid AND l.attnum = ANY (i.indkey) AND (i.indisprimary OR i.indisreplident))
          -- A partition's is its parent's.
          AND NOT EXISTS (SELECT FROM pg_inherits h JOIN pg_attribute p ON p.attrelid = h.inhparent
                          WHERE h.inhrelid = l.attrelid AND p.attname = l.attname AND p.attnotnull)
    LOOP
        INSERT INTO pgleap.chore (phase, rank, object, statements)
        VALUES ('prepare', 40, lob.object, ARRAY[format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', lob."table", lob.column)]);
        label := format('pgleap_not_null_%s', lob.attnum);
        definition := format('CHECK (%I IS NOT NULL)', lob.column);
        IF names_not_null THEN
            SELECT c.conname, pg_get_constraintdef(c.oid) INTO STRICT label, definition
            FROM pg_constraint c WHERE c.conrelid = lob.attrelid AND c.contype = 'n' AND c.conkey = ARRAY[lob.attnum];
        END IF;
        INSERT INTO pgleap.chore (phase, rank, object, statements)
        VALUES ('complete', 20, lob.object, ARRAY[format('ALTER TABLE %s ADD CONSTRAINT %I %s NOT VALID', lob."table", label, definition)]);
        INSERT INTO pgleap.chore (phase, rank, object, statements, weight)
        VALUES ('settle', 1000, lob.object, ARRAY[format('ALTER TABLE %s VALIDATE CONSTRAINT %I', lob."table", label)], lob.weight);
        IF NOT names_not_null THEN
            INSERT INTO pgleap.chore (phase, rank, object, statements) VALUES ('settle', 1020, lob.object, ARRAY[
                format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', lob."table", lob.column),
                format('ALTER TABLE %s DROP CONSTRAINT %I', lob."table", label)]);
        END IF;
    END LOOP;

    PERFORM pgleap.plan_checks();
    PERFORM pgleap.plan_identities();
END $$;

-- Checks that a large column takes part in: whatever they say of NULL, they say it of a row that is half written. Those that
-- are not valid: they let older rows be, but not a copy of them. And those that may say something else of the same row today,
-- or cannot say anything in DMS's sessions. The others hold, so they stay.
CREATE OR REPLACE FUNCTION pgleap.plan_checks() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known record;
BEGIN
    FOR known IN
        SELECT k.name AS "table", c.conname AS name, c.convalidated AS valid, pg_get_constraintdef(c.oid) AS definition,
               format('check %s: %I', k.name, c.conname) AS object, obj_description(c.oid, 'pg_constraint') AS comment,
               pg_total_relation_size(k.relid) AS weight
        FROM pg_constraint c JOIN pgleap.carried k ON k.relid = c.conrelid
        WHERE c.contype = 'c' AND c.coninhcount = 0
          AND (NOT c.convalidated OR pgleap.is_changeable(c.conbin::text) OR EXISTS (
               SELECT FROM large l WHERE l.attrelid = c.conrelid AND (l.attnum = ANY (c.conkey) OR 0 = ANY (c.conkey) OR c.conkey IS NULL)))
    LOOP
        INSERT INTO pgleap.chore (phase, rank, object, statements)
        VALUES ('prepare', 40, known.object, ARRAY[format('ALTER TABLE %s DROP CONSTRAINT %I', known."table", known.name)]);
        INSERT INTO pgleap.chore (phase, rank, object, statements)
        VALUES ('complete', 20, known.object,
                ARRAY[format('ALTER TABLE %s ADD CONSTRAINT %I %s', known."table", known.name, known.definition)
                      || CASE WHEN known.definition ~ ' NOT (VALID|ENFORCED)$' THEN '' ELSE ' NOT VALID' END]
                || CASE WHEN known.comment IS NOT NULL
                        THEN ARRAY[format('COMMENT ON CONSTRAINT %I ON %s IS %L', known.name, known."table", known.comment)] ELSE '{}' END);
        INSERT INTO pgleap.chore (phase, rank, object, statements, weight)
        SELECT 'settle', 1000, known.object, ARRAY[format('ALTER TABLE %s VALIDATE CONSTRAINT %I', known."table", known.name)], known.weight
        WHERE known.valid;
    END LOOP;
END $$;

-- Identity ALWAYS refuses an INSERT that names the column. From 17 on a partition's identity is its parent's.
CREATE OR REPLACE FUNCTION pgleap.plan_identities() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH identity AS (
        SELECT k.name AS "table", a.attname AS column
        FROM pgleap.carried k JOIN pg_attribute a ON a.attrelid = k.relid AND a.attidentity = 'a' AND NOT a.attisdropped
        WHERE k.depth = 0 OR current_setting('server_version_num')::int < 170000
    ), lift AS (
        INSERT INTO pgleap.chore (phase, rank, object, statements)
        SELECT 'prepare', 40, format('identity %s.%I', "table", "column"),
               ARRAY[format('ALTER TABLE %s ALTER COLUMN %I SET GENERATED BY DEFAULT', "table", "column")]
        FROM identity
    )
    INSERT INTO pgleap.chore (phase, rank, object, statements)
    SELECT 'complete', 10, format('identity %s.%I', "table", "column"),
           ARRAY[format('ALTER TABLE %s ALTER COLUMN %I SET GENERATED ALWAYS', "table", "column")]
    FROM identity
$$;
