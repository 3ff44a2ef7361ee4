-- Views over statistics views. Reads: the catalogs. Changes: nothing.
SELECT r.name AS what, string_agg(DISTINCT d.refobjid::regclass::text, ', ') AS why
FROM relations r
JOIN pg_rewrite w ON w.ev_class = r.oid
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
JOIN pg_class s ON s.oid = d.refobjid AND s.relnamespace = 'pg_catalog'::regnamespace AND s.relname LIKE 'pg\_stat\_%'
WHERE r.relkind IN ('v', 'm')
GROUP BY r.name
