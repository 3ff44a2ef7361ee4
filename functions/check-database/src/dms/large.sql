-- Part of queries: columns that are null for a moment while DMS writes, because their values travel apart or they are generated
-- from such: attrelid, attnum, attname, is_null (a generated one may have a value all the same).
-- Reads: the catalogs. Changes: nothing.
SELECT a.attrelid, a.attnum, a.attname, true AS is_null
FROM relations c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
JOIN base_types b ON b.typ = a.atttypid AND (b.is_array OR b.known AND b.typname = ANY ({apart}))
UNION ALL
SELECT a.attrelid, a.attnum, a.attname, {is_null_of_null}
FROM relations c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> ''
JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE EXISTS (SELECT FROM regexp_matches(d.adbin::text, ':varattno (\d+) ', 'g') AS v (number)
              JOIN pg_attribute o ON o.attrelid = a.attrelid AND o.attnum = v.number[1]::int
              JOIN base_types b ON b.typ = o.atttypid AND (b.is_array OR b.known AND b.typname = ANY ({apart})))
