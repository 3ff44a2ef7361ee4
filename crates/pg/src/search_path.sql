-- Search paths of the login roles that may write to a user table or use its schema, and the database's own (a row without a
-- role).
-- Reads: the catalogs. Changes: nothing. Roles of the run and of RDS do not count; nor do those with the default, unless a
-- schema has their name.
WITH database AS (
    SELECT oid FROM pg_database WHERE datname = current_database()
), setting AS (
    SELECT s.setrole, s.setdatabase, substr(c.text, length('search_path=') + 1) AS path
    FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS c (text)
    WHERE starts_with(c.text, 'search_path=') AND s.setdatabase IN (0, (SELECT oid FROM database))
), tables AS (
    SELECT c.oid, c.relowner, c.relnamespace FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgleap', 'pgleap_copy')
), roles AS (
    SELECT r.oid, r.rolname, n.oid IS NOT NULL AS has_schema,
           coalesce((SELECT s.path FROM setting s WHERE s.setrole = r.oid ORDER BY s.setdatabase DESC LIMIT 1),
                    (SELECT s.path FROM setting s WHERE s.setrole = 0 AND s.setdatabase = 0),
                    CASE WHEN n.oid IS NOT NULL THEN '"$user", public' END) AS path
    FROM pg_roles r LEFT JOIN pg_namespace n ON n.nspname = r.rolname
    WHERE r.rolcanlogin AND NOT r.rolsuper AND r.rolname !~ '^(rds|pg_|pgleap_)'
)
SELECT NULL::text AS role, s.path, false AS has_schema, false AS owner, false AS writes
FROM setting s WHERE s.setrole = 0 AND s.setdatabase <> 0
UNION ALL
SELECT r.rolname::text, r.path, r.has_schema, EXISTS (SELECT FROM tables t WHERE t.relowner = r.oid),
       EXISTS (SELECT FROM tables t WHERE has_table_privilege(r.oid, t.oid, 'INSERT, UPDATE'))
FROM roles r
WHERE r.path IS NOT NULL
  AND EXISTS (SELECT FROM (SELECT DISTINCT relnamespace FROM tables) t WHERE has_schema_privilege(r.oid, t.relnamespace, 'USAGE'))
ORDER BY 1 NULLS FIRST
