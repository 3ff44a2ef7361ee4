-- Large values: text, json, jsonb and bytea from nothing to some megabytes, NOT NULL as well, and arrays.
-- DMS writes such columns in a second step, so they must not be NOT NULL on the target while it writes.

CREATE TABLE documents (
  id uuid PRIMARY KEY,
  revision int NOT NULL DEFAULT 1,
  title varchar(200) NOT NULL,
  body text NOT NULL,
  summary text,
  attributes jsonb NOT NULL DEFAULT '{}',
  raw json,
  scan bytea,
  keywords varchar(40)[],
  matrix int[][],
  digest char(32) GENERATED ALWAYS AS (md5(body)) STORED,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE documents ALTER COLUMN scan SET STORAGE EXTERNAL;
ALTER TABLE documents ALTER COLUMN title SET STATISTICS 500;
ALTER TABLE documents ALTER COLUMN summary SET (n_distinct = -0.7);
CREATE INDEX documents_attributes ON documents USING gin (attributes);
CREATE INDEX documents_digest ON documents (digest);

CREATE FUNCTION pg_temp.filling(seed int, kilobytes int) RETURNS text LANGUAGE sql AS
$$ SELECT coalesce(string_agg(md5(seed || '/' || n), E'ß\n'), '') FROM generate_series(1, kilobytes * 28) AS n $$;

INSERT INTO documents (id, title, body, summary, attributes, raw, scan, keywords, matrix)
SELECT md5('document' || n)::uuid, 'Document ' || n, pg_temp.filling(n, n % 12), CASE n % 3 WHEN 0 THEN '' WHEN 1 THEN 'summary ' || n END,
       jsonb_build_object('n', n, 'text', pg_temp.filling(n, n % 3), 'list', jsonb_build_array(1, 2.50, NULL, true)),
       CASE WHEN n % 2 = 0 THEN ('{"n": ' || n || ',  "n": "twice"}')::json END,
       CASE WHEN n % 4 > 0 THEN decode(replace(pg_temp.filling(n, n % 9), E'ß\n', ''), 'hex') END,
       CASE n % 3 WHEN 0 THEN '{}' WHEN 1 THEN ARRAY['a,b', 'c"d', NULL, 'e\f'] END, ARRAY[[n, 1], [2, 3]]
FROM generate_series(1, current_setting('rehearsal.documents')::int) AS n;
INSERT INTO documents (id, title, body, attributes, scan)
SELECT md5('large document' || n)::uuid, 'Large document ' || n, pg_temp.filling(n, 1024 * n),
       jsonb_build_object('text', pg_temp.filling(-n, 700 * n)), decode(replace(pg_temp.filling(n + 7, 1024 * n), E'ß\n', ''), 'hex')
FROM generate_series(1, 3) AS n;
DROP FUNCTION pg_temp.filling;
