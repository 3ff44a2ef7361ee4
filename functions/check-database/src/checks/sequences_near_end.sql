-- Sequences of which less than a tenth is left, by their own end or that of the column that they feed.
-- Reads: the catalogs, sequences. Changes: nothing.
SELECT u.name AS what, format('%s %% of its range (%s of %s)', round(100 * u.used / u.whole), u.value, u.ends) AS why
FROM (SELECT r.name, v.value, e.ends,
             (CASE WHEN s.seqincrement > 0 THEN v.value::numeric - s.seqmin ELSE s.seqmax - v.value::numeric END) AS used,
             (CASE WHEN s.seqincrement > 0 THEN e.ends - s.seqmin ELSE s.seqmax - s.seqmin::numeric END) AS whole
      FROM relations r JOIN pg_sequence s ON s.seqrelid = r.oid
      -- Not asked where the right is missing: up to 16 the question fails then.
      CROSS JOIN LATERAL (SELECT CASE WHEN has_sequence_privilege(r.oid, 'SELECT, USAGE') THEN pg_sequence_last_value(r.oid) END AS value) v
      LEFT JOIN LATERAL (
          SELECT min(CASE a.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647 END) AS most
          FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
          WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')) f ON true
      CROSS JOIN LATERAL (SELECT least(s.seqmax::numeric, f.most) AS ends) e
      WHERE r.relkind = 'S' AND NOT s.seqcycle AND v.value IS NOT NULL) AS u
WHERE u.whole > 0 AND u.used / u.whole > 0.9
