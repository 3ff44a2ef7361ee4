-- Columns of tables and views, and the statistics targets of index columns.
-- An index column is named by its place: on the source it may keep the name that the table's column had when the index was made,
-- and the copy makes its indexes anew.
-- Storage and compression of an index column cannot be set: they follow from the table's column, which is compared, and
-- from whether the index is older than that column's ALTER. An index with a key type of its own (hash, trigrams) has
-- its column's storage only if it is the older one.
SELECT CASE WHEN c.relkind IN ('i', 'I') THEN 'index column' ELSE 'column' END,
  format('%I.%I.%s', n.nspname, c.relname, CASE WHEN c.relkind IN ('i', 'I') THEN a.attnum::text ELSE quote_ident(a.attname) END),
  jsonb_strip_nulls(jsonb_build_object(
    'position', (SELECT count(*) FROM pg_attribute b WHERE b.attrelid = a.attrelid AND b.attnum BETWEEN 1 AND a.attnum AND NOT b.attisdropped),
    'type', format_type(a.atttypid, a.atttypmod),
    'not null', a.attnotnull,
    'default', pg_get_expr(d.adbin, d.adrelid),
    'identity', a.attidentity,
    'generated', a.attgenerated,
    'collation', CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END,
    'storage', CASE WHEN c.relkind NOT IN ('i', 'I') THEN a.attstorage END,
    'compression', CASE WHEN c.relkind NOT IN ('i', 'I') THEN nullif(to_jsonb(a) ->> 'attcompression', '') END,
    'statistics target', nullif((to_jsonb(a) ->> 'attstattarget')::int, -1),
    'options', (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(a.attoptions) AS o),
    'local', a.attislocal, 'inherited', a.attinhcount,
    'grants', pg_temp.grants(a.attacl)))
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c', 'i', 'I')
  AND pg_temp.is_users(c.oid, 'pg_class', n.nspname)
