-- Unlogged tables. Reads: the catalogs. Changes: nothing.
SELECT r.name AS what, '' AS why FROM relations r WHERE r.relkind = 'r' AND r.relpersistence = 'u'
