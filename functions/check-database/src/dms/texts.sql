-- Part of queries: columns of type text, and the statement that makes each varchar, which rewrites neither the table nor an index
-- over it alone; none where PostgreSQL would refuse it, because something else uses the column.
-- Reads: the catalogs. Changes: nothing.
-- Source: PostgreSQL, ATExecAlterColumnType (RememberAllDependentForRebuilding), ATPrepAlterColumnType, CheckIndexCompatible.
SELECT a.attrelid, a.attnum,
       CASE WHEN users.names IS NULL AND keys.attname IS NULL AND (a.attinhcount = 0 OR c.relispartition)
            THEN format('ALTER TABLE %s ALTER COLUMN %I TYPE varchar;', owner.name, a.attname) END AS statement,
       users.names AS used_by
FROM relations c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'text'::regtype
-- A partition's columns are changed with its root's.
JOIN relations owner ON owner.oid = CASE WHEN a.attinhcount > 0 AND c.relispartition THEN pg_partition_root(c.oid)::oid ELSE c.oid END
JOIN pg_attribute o ON o.attrelid = owner.oid AND o.attname = a.attname
LEFT JOIN (
    SELECT d.refobjid, d.refobjsubid, string_agg(DISTINCT pg_describe_object(d.classid, d.objid, 0), ', ') AS names
    FROM pg_depend d LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
      AND (d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass, 'pg_proc'::regclass, 'pg_publication_rel'::regclass)
           OR f.adnum <> d.refobjsubid
           OR d.classid = 'pg_class'::regclass AND d.objid = d.refobjid AND d.objsubid > 0)
    GROUP BY d.refobjid, d.refobjsubid
) users ON users.refobjid = o.attrelid AND users.refobjsubid = o.attnum
LEFT JOIN (
    SELECT DISTINCT p.oid, k.attname
    FROM relations p CROSS JOIN LATERAL pg_partition_ancestors(p.oid) up
    JOIN pg_partitioned_table t ON t.partrelid = up.relid
    JOIN pg_attribute k ON k.attrelid = t.partrelid AND k.attnum > 0
    WHERE (p.relispartition OR p.relkind = 'p')
      AND (k.attnum = ANY (t.partattrs::int2[]) OR strpos(t.partexprs::text, format(':varattno %s ', k.attnum)) > 0)
) keys ON keys.oid = c.oid AND keys.attname = a.attname
