-- What can be tried on the source before a run has to rely on it: kind, name, SQL, pages to read. Takes $1 as carried.sql does.
-- Reads: the catalogs. Changes: nothing. Expressions are printed with every name qualified, because the session's path is pg_catalog.
, seen AS (
    SELECT r.*, CASE WHEN r.relkind = 'r' THEN 'ONLY ' ELSE '' END || r.name AS source, greatest(p.relpages, 0)::bigint AS pages
    FROM relations r JOIN pg_class p ON p.oid = r.oid
    WHERE r.relkind IN ('r', 'p', 'm') AND r.relpersistence = 'p'
      AND has_schema_privilege(r.space, 'USAGE') AND has_table_privilege(r.oid, 'SELECT')
), by_path AS (
    -- Functions that may look names up by the search path of whoever calls them.
    SELECT p.oid FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
    WHERE l.lanname NOT IN ('internal', 'c') AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS s (setting) WHERE starts_with(s.setting, 'search_path='))
), callers AS (
    SELECT DISTINCT d.classid, d.objid FROM pg_depend d JOIN by_path p ON p.oid = d.refobjid WHERE d.refclassid = 'pg_proc'::regclass
), tries (kind, what, sql, pages) AS (
    SELECT 'computed', format('%s.%I', t.name, a.attname),
           format('SELECT %s FROM (VALUES (1)) AS pgleap_one (pgleap_one) LEFT JOIN %s AS %I ON true LIMIT 1', pg_get_expr(d.adbin, d.adrelid), t.source, t.relname), 0
    FROM pg_attrdef d JOIN seen t ON t.oid = d.adrelid JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE a.attgenerated <> '' AND t.relkind = 'r'
      -- Older majors record what an expression calls as the column's, newer ones as its default's.
      AND EXISTS (SELECT FROM pg_depend x JOIN by_path p ON p.oid = x.refobjid
                  WHERE x.refclassid = 'pg_proc'::regclass
                    AND (x.classid = 'pg_attrdef'::regclass AND x.objid = d.oid
                         OR x.classid = 'pg_class'::regclass AND x.objid = d.adrelid AND x.objsubid = d.adnum))
    UNION ALL
    SELECT 'index', format('%I on %s', x.relname, t.name),
           format('SELECT %s FROM (VALUES (1)) AS pgleap_one (pgleap_one) LEFT JOIN %s AS %I ON true LIMIT 1',
                  concat_ws(', ', pg_get_expr(i.indexprs, i.indrelid), pg_get_expr(i.indpred, i.indrelid)), t.source, t.relname), 0
    FROM pg_index i JOIN seen t ON t.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
    JOIN callers c ON c.classid = 'pg_class'::regclass AND c.objid = i.indexrelid
    WHERE t.relkind = 'r'
    UNION ALL
    SELECT 'check', format('%I of %s', k.conname, t.name),
           format('SELECT EXISTS (SELECT FROM %s AS %I WHERE NOT (%s))', t.source, t.relname, pg_get_expr(k.conbin, k.conrelid)), t.pages
    FROM pg_constraint k JOIN seen t ON t.oid = k.conrelid
    WHERE k.contype = 'c' AND k.convalidated AND k.coninhcount = 0 AND {is_changeable}
    UNION ALL
    SELECT 'domain', format('%I of domain %s of column %s.%I', k.conname, k.contypid::regtype, t.name, a.attname),
           format('SELECT count(%I::%s::%s) FROM %s', a.attname, format_type(d.typbasetype, d.typtypmod), k.contypid::regtype, t.source), t.pages
    FROM pg_constraint k JOIN pg_type d ON d.oid = k.contypid
    JOIN pg_attribute a ON a.atttypid = d.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN seen t ON t.oid = a.attrelid AND t.relkind = 'r'
    WHERE k.contype = 'c' AND k.convalidated AND {is_changeable}
    UNION ALL
    SELECT 'foreign key', format('%s refer to rows that are not in %s (foreign key %I)', t.name, f.name, k.conname),
           format('EXISTS (SELECT FROM %s AS fk WHERE (%s) AND NOT EXISTS (SELECT FROM %s AS pk WHERE %s))', t.source,
                  CASE k.confmatchtype WHEN 'f' THEN columns.any_set ELSE columns.all_set END, f.source, columns.same), t.pages + f.pages
    FROM pg_constraint k JOIN seen t ON t.oid = k.conrelid JOIN seen f ON f.oid = k.confrelid
    CROSS JOIN LATERAL (
        SELECT string_agg(format('fk.%I IS NOT NULL', a.attname), ' AND ') AS all_set, string_agg(format('fk.%I IS NOT NULL', a.attname), ' OR ') AS any_set,
               string_agg(format('pk.%I OPERATOR(%I.%s) fk.%I', b.attname, n.nspname, o.oprname, a.attname), ' AND ') AS same
        FROM unnest(k.conkey, k.confkey, k.conpfeqop) AS u (own, other, equals)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.own JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = u.other
        JOIN pg_operator o ON o.oid = u.equals JOIN pg_namespace n ON n.oid = o.oprnamespace) AS columns
    WHERE k.contype = 'f' AND k.convalidated AND k.conparentid = 0
    UNION ALL
    SELECT 'view', t.name, format('SELECT count(v) FROM (%s) AS v', rtrim(pg_get_viewdef(t.oid), ';')), t.pages
    FROM seen t JOIN pg_class c ON c.oid = t.oid WHERE t.relkind = 'm' AND c.relispopulated
)
SELECT kind, what, sql, pages FROM tries ORDER BY kind, pages, what
