-- The three stages of `vacuumdb --analyze-in-stages`: every table with a target of 1, then with 10, then in full.
-- A partitioned table takes its leaves along, so they are not listed. Catalogs come last, and only those that the
-- database's owner may analyze; shared ones are a superuser's.
-- Optional: from 17 on an index over a function that needs a search path lets no ANALYZE of its table pass, by anybody.
-- Reads: catalogs. Changes: pgleap.chore. Safe to repeat: the list is made once.
-- Source: PostgreSQL documentation, vacuumdb; observed with `vacuumdb --echo` of 18.
BEGIN;
LOCK TABLE pgleap.chore IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO pgleap.chore (phase, rank, object, statements, optional, weight)
SELECT 'analyze', s.stage, format('statistics (stage %s of 3) of %I.%I', s.stage, n.nspname, c.relname),
       s.settings || format('ANALYZE %I.%I', n.nspname, c.relname), true,
       coalesce((SELECT sum(pg_relation_size(t.relid)) FROM pg_partition_tree(c.oid) t WHERE t.isleaf), pg_relation_size(c.oid))
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN (VALUES (1, ARRAY['SET LOCAL default_statistics_target = 1', 'SET LOCAL vacuum_cost_delay = 0']),
             (2, ARRAY['SET LOCAL default_statistics_target = 10']),
             (3, '{}')) AS s (stage, settings) ON n.nspname <> 'pg_catalog' OR s.stage = 3
WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't' AND NOT c.relispartition AND NOT c.relisshared
  AND n.nspname !~ '^pg_(toast|temp)' AND n.nspname NOT IN ('information_schema', 'pgleap', 'pgleap_copy')
  AND NOT EXISTS (SELECT FROM pgleap.chore a WHERE a.phase = 'analyze');
COMMIT;
