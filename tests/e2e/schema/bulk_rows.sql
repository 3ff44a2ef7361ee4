-- One large table that does not compress: half of it in rows of two kilobytes, half in texts of 64 kilobytes, which DMS
-- looks up one by one. Pieces of a megabyte of random digits, because making them all would take minutes; bytes, because
-- a piece of a text is found by counting its characters.
-- Takes rehearsal.wide_megabytes.
CREATE SCHEMA IF NOT EXISTS bulk;
CREATE TABLE bulk.wide (id bigint PRIMARY KEY, line varchar(2000), body text, at timestamptz NOT NULL DEFAULT now());
ALTER TABLE bulk.wide ALTER body SET STORAGE EXTERNAL;
DO $$
DECLARE
  pool bytea := (SELECT string_agg(convert_to(md5(random()::text), 'UTF8'), '') FROM generate_series(1, 32768));
  half int := current_setting('rehearsal.wide_megabytes')::int / 2;
BEGIN
  INSERT INTO bulk.wide (id, line)
  SELECT n, md5(n::text) || convert_from(substr(pool, 1 + (random() * 1000000)::int, 1900), 'UTF8') FROM generate_series(1, half * 500) AS n;
  INSERT INTO bulk.wide (id, body)
  SELECT -n, md5(n::text) || convert_from(substr(pool, 1 + (random() * 950000)::int, 65500), 'UTF8') FROM generate_series(1, half * 16) AS n;
END $$;
