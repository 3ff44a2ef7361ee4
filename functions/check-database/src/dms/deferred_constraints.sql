-- Deferred uniqueness of tables to carry. Reads: the catalogs. Changes: nothing.
-- Foreign keys and constraint triggers do not count: neither is on the target while DMS writes there.
SELECT format('%I on %s', k.conname, c.name) AS what,
       CASE k.contype WHEN 'x' THEN 'EXCLUDE' WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END AS why,
       CASE WHEN k.conparentid = 0
            THEN format('use copy.engine native (or auto); or run ALTER TABLE %1$s DROP CONSTRAINT %2$I, ADD CONSTRAINT %2$I %3$s; '
                        'this builds the index again, and the table cannot be read or written meanwhile',
                        c.name, k.conname, replace(pg_get_constraintdef(k.oid), ' INITIALLY DEFERRED', '')) END AS remedy
FROM pg_constraint k JOIN carried c ON c.oid = k.conrelid WHERE k.condeferred AND k.contype IN ('p', 'u', 'x')
