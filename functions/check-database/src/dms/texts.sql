-- Part of queries: columns of type text, and the statement that makes each varchar, which rewrites neither the table nor an index
-- over it alone; none where PostgreSQL would refuse it, because something else uses the column.
-- Reads: the catalogs. Changes: nothing.
-- Source: PostgreSQL, ATExecAlterColumnType (RememberAllDependentForRebuilding), ATPrepAlterColumnType, CheckIndexCompatible.
SELECT a.attrelid, a.attnum,
       CASE WHEN users.names IS NULL AND NOT parted.is_key
            THEN format('ALTER TABLE %s ALTER COLUMN %I TYPE varchar;', owner.name, a.attname) END AS statement,
       users.names AS used_by
FROM relations c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'text'::regtype
-- A partition's columns are changed with its root's.
JOIN relations owner ON owner.oid = CASE WHEN a.attinhcount > 0 AND c.relispartition THEN pg_partition_root(c.oid)::oid ELSE c.oid END
CROSS JOIN LATERAL (
    SELECT string_agg(DISTINCT pg_describe_object(d.classid, d.objid, 0), ', ') AS names
    FROM pg_depend d
    JOIN pg_attribute o ON o.attrelid = owner.oid AND o.attname = a.attname AND o.attnum = d.refobjsubid
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = owner.oid
      AND (d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass, 'pg_proc'::regclass, 'pg_publication_rel'::regclass)
           OR d.classid = 'pg_attrdef'::regclass AND EXISTS (SELECT FROM pg_attrdef f WHERE f.oid = d.objid AND f.adnum <> o.attnum)
           OR d.classid = 'pg_class'::regclass AND d.objid = owner.oid AND d.objsubid > 0)
) users
CROSS JOIN LATERAL (
    SELECT a.attinhcount > 0 AND NOT c.relispartition
           OR EXISTS (SELECT FROM pg_partition_ancestors(c.oid) p
                      JOIN pg_partitioned_table t ON t.partrelid = p.relid
                      JOIN pg_attribute k ON k.attrelid = t.partrelid AND k.attname = a.attname
                      WHERE k.attnum = ANY (t.partattrs::int2[]) OR t.partexprs::text ~ format(':varattno %s ', k.attnum)) AS is_key
) parted
