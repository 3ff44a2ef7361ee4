-- Inherited columns without their parent's NOT NULL, in every schema. Reads: the catalogs. Changes: nothing.
SELECT format('%s.%I', i.inhrelid::regclass, c.attname) AS what, i.inhparent::regclass::text AS why
FROM pg_inherits i
JOIN pg_attribute p ON p.attrelid = i.inhparent AND p.attnum > 0 AND NOT p.attisdropped AND p.attnotnull
JOIN pg_attribute c ON c.attrelid = i.inhrelid AND c.attname = p.attname AND NOT c.attisdropped AND NOT c.attnotnull
