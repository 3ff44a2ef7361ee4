identifying AS (
    -- Unique indexes that tell all rows apart at any moment: none over an expression, of some rows only, deferrable, or over a
    -- column that may be null.
    SELECT u.indrelid, u.indexrelid, u.indkey, u.indnkeyatts, u.indoption, u.indcollation, u.indclass, k.relname
    FROM pg_catalog.pg_index u
    JOIN pg_catalog.pg_class k ON k.oid = u.indexrelid
    JOIN pg_catalog.pg_am m ON m.oid = k.relam AND m.amname = 'btree'
    WHERE u.indisunique AND NOT u.indisprimary AND NOT u.indisexclusion AND u.indimmediate AND u.indisvalid AND u.indislive
      AND u.indpred IS NULL AND u.indexprs IS NULL
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = u.indrelid AND NOT a.attnotnull
                        AND a.attnum = ANY ((u.indkey::int2[])[0:u.indnkeyatts - 1]))
), of_whole_trees AS (
    -- Those that also say to which partition a row belongs: changes of a partition are published as its root's.
    SELECT i.indrelid, i.indexrelid, i.relname, i.indnkeyatts
    FROM identifying i
    WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_partition_ancestors(i.indrelid) a
        JOIN pg_catalog.pg_partitioned_table t ON t.partrelid = a.relid AND t.partrelid <> i.indrelid
        CROSS JOIN unnest(t.partattrs::int2[]) AS part (key)
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute above
                          JOIN pg_catalog.pg_attribute own ON own.attrelid = i.indrelid AND own.attname = above.attname
                          WHERE above.attrelid = a.relid AND above.attnum = part.key
                            AND own.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])))
), narrowest AS (
    SELECT DISTINCT ON (i.indrelid) i.indrelid, i.indexrelid FROM of_whole_trees i ORDER BY i.indrelid, i.indnkeyatts, i.relname
), identity_indexes AS (
    -- The one that may serve as a table's replica identity; of a partition the part of its root's, because the target takes a
    -- row's key from the columns of the root's.
    SELECT DISTINCT ON (i.indrelid) i.indrelid, i.indexrelid, i.relname
    FROM of_whole_trees i
    LEFT JOIN narrowest r ON r.indrelid = pg_catalog.pg_partition_root(i.indrelid) AND r.indrelid <> i.indrelid
    ORDER BY i.indrelid, coalesce(pg_catalog.pg_partition_root(i.indexrelid) = r.indexrelid, false) DESC, i.indnkeyatts, i.relname
)
