-- Collations, and from 15 on the database's own, with another version than recorded. Reads: the catalogs. Changes: nothing.
SELECT format('%I.%I', n.nspname, c.collname) AS what, c.collversion AS why
FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
WHERE c.collversion IS NOT NULL AND c.collversion IS DISTINCT FROM pg_collation_actual_version(c.oid)
  AND EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_collation'::regclass AND d.refobjid = c.oid AND d.deptype <> 'p')
UNION ALL
SELECT format('database %I', d.datname), j.row ->> 'datcollversion'
FROM pg_database d CROSS JOIN LATERAL (SELECT to_jsonb(d) AS row) j
WHERE d.datname = current_database() AND j.row ->> 'datcollversion' IS NOT NULL
  AND j.row ->> 'datcollversion' IS DISTINCT FROM {database_collation_version}
