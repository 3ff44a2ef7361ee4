-- Tables of extensions in schemas of users. Reads: the catalogs. Changes: nothing.
SELECT x.extname AS what, string_agg(format('%I.%I', s.nspname, c.relname), ', ') AS why
FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace
JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
JOIN pg_extension x ON x.oid = d.refobjid
WHERE c.relkind IN ('r', 'p')
GROUP BY x.extname
