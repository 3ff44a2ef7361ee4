-- Deferred uniqueness of tables to carry. Reads: the catalogs. Changes: nothing.
-- Foreign keys and constraint triggers do not count: neither is on the target while DMS writes there.
SELECT format('%I on %s', k.conname, c.name) AS what,
       CASE k.contype WHEN 'x' THEN 'EXCLUDE' WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END AS why
FROM pg_constraint k JOIN carried c ON c.oid = k.conrelid WHERE k.condeferred AND k.contype IN ('p', 'u', 'x')
