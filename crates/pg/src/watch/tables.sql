-- What the watch on the source's changes needs: which tables are watched for what, and what it found. On the source, as the
-- owner of schema pgleap. {reader}: the login that reads and notes; {tests}: rows of type name, has a modifier, test.
-- Reads: the catalogs, pgleap.catalog_skipped. Changes: schema pgleap. Safe to repeat: the list is made once.
BEGIN;
SET LOCAL quote_all_identifiers = off;
SELECT pg_advisory_xact_lock(hashtext('pgleap.watch_table')); -- one call at a time
CREATE TABLE IF NOT EXISTS pgleap.watch_table (
    name text PRIMARY KEY,      -- as test_decoding prints it
    key text[] NOT NULL,        -- columns of the primary key
    image text[] NOT NULL,      -- without a key: columns that equal rows are found by,
    types text[] NOT NULL,      -- .. their types,
    forms text[] NOT NULL,      -- .. and when their texts are the same for equal values
    tested text[] NOT NULL,     -- columns whose values are tested
    tests text[] NOT NULL
);
-- One row for a table and a kind of finding, so that it stays small. detail: of the first.
CREATE TABLE IF NOT EXISTS pgleap.watch_found (
    name text,
    kind text,
    detail text NOT NULL,
    first_lsn pg_lsn NOT NULL,
    last_lsn pg_lsn NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, kind)
);
-- Old rows of tables without a key for which no equal row was found, until the log has been read to where that was looked at.
CREATE TABLE IF NOT EXISTS pgleap.watch_image (
    name text,
    image uuid,
    lsn pg_lsn,
    until pg_lsn NOT NULL,
    PRIMARY KEY (name, image, lsn)
);
GRANT SELECT ON pgleap.watch_table TO {reader};
GRANT SELECT, INSERT, UPDATE ON pgleap.watch_found TO {reader};
GRANT SELECT, INSERT, DELETE ON pgleap.watch_image TO {reader};
INSERT INTO pgleap.watch_table
WITH RECURSIVE tests (type, bounded, test) AS (
    VALUES {tests}
), carried AS (
    SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, p.indkey
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_index p ON p.indrelid = c.oid AND p.indisprimary
    WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgleap')
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
      AND NOT EXISTS (SELECT FROM pgleap.catalog_skipped s WHERE s.schema = n.nspname)
), down AS (
    -- Each type that a column has, with the base that a domain stands for.
    SELECT t.oid AS type, t.oid AS base, -1 AS modifier
    FROM pg_catalog.pg_type t WHERE t.oid IN (SELECT a.atttypid FROM pg_catalog.pg_attribute a WHERE a.attnum > 0)
    UNION ALL
    SELECT d.type, t.typbasetype, CASE WHEN d.modifier = -1 THEN t.typtypmod ELSE d.modifier END
    FROM down d JOIN pg_catalog.pg_type t ON t.oid = d.base WHERE t.typtype = 'd'
), bases AS (
    SELECT d.type, d.modifier, t.typname AS base
    FROM down d JOIN pg_catalog.pg_type t ON t.oid = d.base
    WHERE t.typtype = 'b' AND t.typnamespace = 'pg_catalog'::regnamespace
), columns AS (
    SELECT a.attrelid, a.attnum, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attgenerated, b.base,
           (CASE WHEN a.atttypmod <> -1 THEN a.atttypmod ELSE b.modifier END) <> -1 AS bounded,
           coalesce(k.collisdeterministic, true) AS deterministic
    FROM pg_catalog.pg_attribute a
    LEFT JOIN bases b ON b.type = a.atttypid
    LEFT JOIN pg_catalog.pg_collation k ON k.oid = a.attcollation
    WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid IN (SELECT oid FROM carried)
), compared AS (
    -- Types with an equality that a statement of DMS can use, by how their text goes with it.
    SELECT a.attrelid, a.attnum, a.name, a.type,
           CASE WHEN NOT a.deterministic THEN 'unknown'
                WHEN a.base IN ('numeric', 'float4', 'float8') THEN 'number'
                WHEN a.base = 'bpchar' THEN 'padded'
                WHEN a.base IN ('interval', 'timetz', 'money') THEN 'unknown'
                ELSE 'exact' END AS form
    FROM columns a JOIN carried c ON c.oid = a.attrelid AND c.indkey IS NULL
    WHERE a.attgenerated = ''
      AND a.base IN ('int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'bool', 'bpchar', 'varchar', 'name', 'char', 'oid',
                     'date', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval', 'money', 'uuid', 'bit', 'varbit', 'cidr')
), tested AS (
    SELECT a.attrelid, a.attnum, a.name, t.test
    FROM columns a JOIN tests t ON t.type = a.base AND t.bounded = a.bounded
    WHERE a.attgenerated = ''
)
SELECT c.name,
       ARRAY(SELECT a.name FROM unnest(c.indkey::int2[]) WITH ORDINALITY k (number, place)
             JOIN columns a ON a.attrelid = c.oid AND a.attnum = k.number ORDER BY k.place),
       coalesce(i.names, '{{}}'), coalesce(i.types, '{{}}'), coalesce(i.forms, '{{}}'),
       coalesce(v.names, '{{}}'), coalesce(v.tests, '{{}}')
FROM carried c
LEFT JOIN (SELECT attrelid, array_agg(name ORDER BY attnum) AS names, array_agg(type ORDER BY attnum) AS types,
                  array_agg(form ORDER BY attnum) AS forms FROM compared GROUP BY attrelid) i ON i.attrelid = c.oid
LEFT JOIN (SELECT attrelid, array_agg(name ORDER BY attnum) AS names, array_agg(test ORDER BY attnum) AS tests
           FROM tested GROUP BY attrelid) v ON v.attrelid = c.oid
WHERE NOT EXISTS (SELECT FROM pgleap.watch_table);
-- Tables without a key are asked for equal rows.
DO $do$ DECLARE watched record; BEGIN
    FOR watched IN
        SELECT w.name, n.nspname FROM pgleap.watch_table w
        JOIN pg_catalog.pg_class c ON c.oid = w.name::regclass JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE w.key = '{{}}' AND NOT (has_table_privilege('{reader_name}', c.oid, 'SELECT') AND has_schema_privilege('{reader_name}', n.oid, 'USAGE'))
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO {reader}; GRANT SELECT ON %s TO {reader}', watched.nspname, watched.name);
    END LOOP;
END $do$;
COMMIT
