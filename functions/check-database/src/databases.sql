-- Databases beside this one that somebody could use, or that stand in the way of an upgrade: name, invalid.
-- Reads: pg_database. Changes: nothing. rdsadmin is RDS's own. -2: pg_upgrade refuses a database in that state.
SELECT d.datname::text, d.datconnlimit = -2
FROM pg_database d
WHERE d.datname NOT IN (current_database(), 'rdsadmin', 'template0', 'template1') AND (d.datallowconn OR d.datconnlimit = -2)
ORDER BY 1
