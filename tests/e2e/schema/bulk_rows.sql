-- One large table that does not compress: half of it in rows of two kilobytes, half in texts of 64 kilobytes, which DMS
-- looks up one by one. Pieces of a megabyte of random digits, because making them all would take minutes.
-- Takes rehearsal.wide_megabytes.
CREATE SCHEMA IF NOT EXISTS bulk;
CREATE TABLE bulk.wide (id bigint PRIMARY KEY, line varchar(2000), body text, at timestamptz NOT NULL DEFAULT now());
ALTER TABLE bulk.wide ALTER body SET STORAGE EXTERNAL;
DO $$
DECLARE
  pool text := (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 32768));
  half int := current_setting('rehearsal.wide_megabytes')::int / 2;
BEGIN
  INSERT INTO bulk.wide (id, line)
  SELECT n, md5(n::text) || substr(pool, 1 + (random() * 1000000)::int, 1900) FROM generate_series(1, half * 500) AS n;
  INSERT INTO bulk.wide (id, body)
  SELECT -n, md5(n::text) || substr(pool, 1 + (random() * 950000)::int, 65500) FROM generate_series(1, half * 16) AS n;
END $$;
