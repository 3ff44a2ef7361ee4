-- Tables of an operator's own schema that clients could write to, with what the catalogs say of their rows.
-- Reads: the catalogs. Changes: nothing. The search_path must be empty, so that types are printed with their schemas.
SELECT n.nspname::text, c.relname::text, c.relkind = 'p' AS partitioned,
       EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid) AS has_rules,
       EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.confrelid = c.oid) AS is_referenced,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                  'name', a.attname,
                  'type', format_type(a.atttypid, a.atttypmod),
                  'base', CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) ELSE format_type(a.atttypid, a.atttypmod) END,
                  'labels', (SELECT coalesce(jsonb_agg(e.enumlabel ORDER BY e.enumsortorder), '[]') FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid),
                  'notNull', a.attnotnull OR t.typnotnull,
                  'default', coalesce(pg_get_expr(d.adbin, d.adrelid), ''),
                  'identity', a.attidentity, 'generated', a.attgenerated <> '',
                  -- Of the primary key, of a unique index or of what stands in one, of the partition key.
                  'unique', EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisunique
                                    AND (a.attnum = ANY (i.indkey) OR EXISTS (
                                        SELECT FROM pg_catalog.pg_depend p WHERE p.classid = 'pg_catalog.pg_class'::regclass
                                        AND p.objid = i.indexrelid AND p.refobjid = c.oid AND p.refobjsubid = a.attnum))),
                  'partition', EXISTS (SELECT FROM pg_catalog.pg_partitioned_table p WHERE p.partrelid = c.oid AND a.attnum = ANY (p.partattrs)))
                  ORDER BY a.attnum), '[]')
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
       -- The primary key, or a unique index of columns that are never NULL.
       (SELECT jsonb_agg(a.attname ORDER BY k.place)
        FROM (SELECT i.indkey FROM pg_catalog.pg_index i
              WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND 0 <> ALL (i.indkey)
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                                WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey) AND NOT a.attnotnull)
              ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1) AS best,
             unnest(best.indkey) WITH ORDINALITY AS k (number, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number) AS key,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                  'table', format('%I.%I', fn.nspname, f.relname),
                  'columns', (SELECT jsonb_agg(a.attname ORDER BY x.place) FROM unnest(k.conkey) WITH ORDINALITY AS x (number, place)
                              JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = x.number),
                  'referenced', (SELECT jsonb_agg(a.attname ORDER BY x.place) FROM unnest(k.confkey) WITH ORDINALITY AS x (number, place)
                                 JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = x.number))), '[]')
        FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class f ON f.oid = k.confrelid
        JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
        WHERE k.contype = 'f' AND k.conrelid = c.oid AND k.conparentid = 0) AS references
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
  AND n.nspname !~ '^(pg_|information_schema$)' AND n.nspname NOT IN ('rehearsal', 'pgleap', 'pgleap_copy')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2
