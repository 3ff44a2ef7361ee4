-- Whether this database, or everybody, is read-only by default. Reads: the catalogs. Changes: nothing.
SELECT quote_ident(current_database()) AS what, CASE WHEN r.setdatabase = 0 THEN 'set for all roles' ELSE 'set for the database' END AS why
FROM pg_db_role_setting r
CROSS JOIN unnest(r.setconfig) AS s (setting)
WHERE r.setrole = 0 AND r.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND lower(s.setting) IN ('default_transaction_read_only=on', 'default_transaction_read_only=true', 'default_transaction_read_only=1')
