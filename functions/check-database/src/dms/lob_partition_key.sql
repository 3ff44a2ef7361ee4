-- Columns of partition keys whose values travel apart, of tables with partitions to carry. Reads: the catalogs. Changes: nothing.
WITH large AS ({large}), parted AS (
    SELECT DISTINCT t.partrelid, t.partattrs::int2[] AS key, t.partexprs::text AS expressions
    FROM carried c CROSS JOIN LATERAL pg_partition_ancestors(c.oid) a JOIN pg_partitioned_table t ON t.partrelid = a.relid
    WHERE c.relispartition
)
SELECT format('%s.%I', r.name, l.attname) AS what, '' AS why
FROM parted p JOIN relations r ON r.oid = p.partrelid JOIN large l ON l.attrelid = p.partrelid
WHERE l.attnum = ANY (p.key) OR p.expressions ~ format(':varattno (%s|0) ', l.attnum)
