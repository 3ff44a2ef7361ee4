-- Checks of domains that rows may break which are there all the same: not valid ones, those that may say something else of
-- the same value today, and all of domains over large values, which are NULL for a moment.
-- They come back under the fence and are not validated there. Validating one takes a lock on every table of the domain that
-- keeps writers out below 18: after OPEN only where that is a matter of moments.
-- Reads: catalogs, pgleap.carried. Changes: pgleap.chore.

CREATE OR REPLACE FUNCTION pgleap.plan_domains(lob_types text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known record;
    most_bytes bigint := 64 * 1024 * 1024;
BEGIN
    FOR known IN
        WITH RECURSIVE down AS (
            -- Which domains a column's type stands on, through arrays, composite types and ranges.
            SELECT k.relid, a.atttypid AS typ FROM pgleap.carried k
            JOIN pg_attribute a ON a.attrelid = k.relid AND a.attnum > 0 AND NOT a.attisdropped WHERE NOT k.partitioned
            UNION
            SELECT d.relid, next.typ FROM down d JOIN pg_type t ON t.oid = d.typ
            CROSS JOIN LATERAL (
                SELECT t.typbasetype AS typ WHERE t.typtype = 'd'
                UNION SELECT t.typelem WHERE t.typelem <> 0
                UNION SELECT a.atttypid FROM pg_attribute a WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
                UNION SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid) AS next
        ), used AS (
            SELECT d.typ, sum(pg_total_relation_size(d.relid)) AS bytes FROM down d JOIN pg_type t ON t.oid = d.typ AND t.typtype = 'd' GROUP BY d.typ
        ), large AS (
            SELECT d.typ FROM used d JOIN pg_type t ON t.oid = d.typ JOIN pg_type b ON b.oid = t.typbasetype
            WHERE b.typname = ANY (lob_types) OR b.typcategory = 'A' OR b.typtype = 'c'
        )
        SELECT u.bytes, u.typ::regtype::text AS domain, c.conname AS name, c.convalidated AS valid, pg_get_constraintdef(c.oid) AS definition,
               format('check of domain %s: %I', u.typ::regtype, c.conname) AS object, obj_description(c.oid, 'pg_constraint') AS comment
        FROM used u JOIN pg_constraint c ON c.contypid = u.typ AND c.contype = 'c'
        WHERE (NOT c.convalidated OR u.typ IN (SELECT typ FROM large) OR pgleap.is_changeable(c.conbin::text))
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = u.typ AND d.deptype = 'e')
    LOOP
        INSERT INTO pgleap.chore (phase, rank, object, statements)
        VALUES ('prepare', 40, known.object, ARRAY[format('ALTER DOMAIN %s DROP CONSTRAINT %I', known.domain, known.name)]);
        INSERT INTO pgleap.chore (phase, rank, object, statements)
        VALUES ('complete', 20, known.object,
                ARRAY[format('ALTER DOMAIN %s ADD CONSTRAINT %I %s', known.domain, known.name, known.definition)
                      || CASE WHEN known.definition ~ ' NOT VALID$' THEN '' ELSE ' NOT VALID' END]
                || CASE WHEN known.comment IS NOT NULL
                        THEN ARRAY[format('COMMENT ON CONSTRAINT %I ON DOMAIN %s IS %L', known.name, known.domain, known.comment)] ELSE '{}' END);
        INSERT INTO pgleap.chore (phase, rank, object, statements, weight, attempts, failure)
        SELECT 'settle', 1000, known.object, ARRAY[format('ALTER DOMAIN %s VALIDATE CONSTRAINT %I', known.domain, known.name)], known.bytes,
               CASE WHEN long.wait THEN 3 ELSE 0 END,
               CASE WHEN long.wait THEN 'not validated, because that keeps writers out of every table of the domain meanwhile' END
        FROM (SELECT current_setting('server_version_num')::int < 180000 AND known.bytes > most_bytes AS wait) AS long
        WHERE known.valid;
    END LOOP;
END $$;
