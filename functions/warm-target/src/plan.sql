-- The chores of this step: what the snapshot brought, keys first, then the other indexes, then tables with their large values,
-- the small before the large, so that most are read when the time is over. A gigabyte each, so that no transaction lasts long;
-- those below 8 MB 200 at a time, because a chore has its price.
-- An index whose order depends on a collation is checked, which reads it too.
-- Parameters: everything came with the snapshot; or the schemas that did; pg_prewarm is there; amcheck is there.
-- Reads: catalogs. Changes: pgleap.chore.
WITH brought AS (
    SELECT c.oid, c.reltoastrelid, format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p' AND ($1 OR n.nspname = ANY ($2))
      AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgleap', 'pgleap_copy')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
), index AS (
    SELECT i.indexrelid AS oid, format('index %I.%I', n.nspname, c.relname) AS object, CASE WHEN i.indisunique THEN 1 ELSE 2 END AS rank,
           a.amname = 'btree' AND i.indisvalid AND EXISTS (
               SELECT FROM unnest(i.indcollation::oid[]) k (collation_oid) JOIN pg_collation l ON l.oid = k.collation_oid
               WHERE l.collprovider = 'i' OR l.collprovider = 'c' AND l.collcollate NOT IN ('C', 'POSIX')
                  OR l.collprovider = 'd' AND (SELECT d.datcollate NOT IN ('C', 'POSIX') OR coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') = 'i'
                                               FROM pg_database d WHERE d.datname = current_database())) AS is_sorted
    FROM brought b JOIN pg_index i ON i.indrelid = b.oid JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am a ON a.oid = c.relam
), part AS (
    SELECT oid, object, rank FROM index WHERE NOT ($4 AND is_sorted)
    UNION ALL SELECT i.indexrelid, 'large values of table ' || b.name, 2 FROM brought b JOIN pg_index i ON i.indrelid = b.reltoastrelid
    UNION ALL SELECT oid, 'table ' || name, 3 FROM brought
    UNION ALL SELECT reltoastrelid, 'large values of table ' || name, 3 FROM brought WHERE reltoastrelid <> 0
), sized AS (
    SELECT p.*, pg_relation_size(p.oid) / current_setting('block_size')::bigint AS blocks FROM part p
), small AS (
    SELECT s.*, (row_number() OVER (PARTITION BY s.rank ORDER BY s.blocks) - 1) / 200 AS batch FROM sized s WHERE s.blocks BETWEEN 1 AND 1023
)
INSERT INTO pgleap.chore (phase, rank, object, statements, optional, weight, failure, done_at)
SELECT 'warm', s.rank, s.object, ARRAY[format('SELECT pgleap.read_blocks(%s, %s, %s)', s.oid, first, first + 131071)], true, -s.blocks, NULL, NULL::timestamptz
FROM sized s CROSS JOIN generate_series(0, s.blocks - 1, 131072) first
WHERE $3 AND s.blocks > 1023
UNION ALL
SELECT 'warm', s.rank, format('%s small tables and indexes', count(*)), array_agg(format('SELECT pgleap.read_blocks(%s, 0, 1023)', s.oid)), true, -sum(s.blocks), NULL, NULL
FROM small s WHERE $3 GROUP BY s.rank, s.batch
UNION ALL
SELECT 'warm', i.rank, i.object, ARRAY[format('SELECT pgleap.check_index(%s, %L)', i.oid, i.object)], true, -pg_relation_size(i.oid), NULL, NULL
FROM index i WHERE i.is_sorted AND $4
UNION ALL
SELECT 'warm', 9, format('order of %s indexes', count(*)), '{}', true, 0, 'not checked: the owner cannot use amcheck on this server', clock_timestamp()
FROM index i WHERE i.is_sorted AND NOT $4 HAVING count(*) > 0
