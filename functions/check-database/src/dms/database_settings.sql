-- Settings of this database or of all roles. Those that the run sets for its own logins (among them how values are written) do
-- not matter: a role's own go before these. Reads: the catalogs. Changes: nothing.
SELECT s.setting AS what, CASE WHEN r.setdatabase = 0 THEN 'all roles' ELSE 'the database' END AS why
FROM pg_db_role_setting r
CROSS JOIN unnest(r.setconfig) AS s (setting)
WHERE r.setrole = 0 AND r.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND lower(split_part(s.setting, '=', 1)) = 'session_replication_role'
  AND lower(s.setting) <> 'session_replication_role=origin'
