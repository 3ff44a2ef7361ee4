-- Deferred constraints of tables to carry. Reads: the catalogs. Changes: nothing.
SELECT format('%I on %s', k.conname, c.name) AS what, '' AS why
FROM pg_constraint k JOIN carried c ON c.oid = k.conrelid WHERE k.condeferred
