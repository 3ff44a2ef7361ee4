-- Many small tables, to see what does not stand ten thousand of them: ten schemas; of four tables one has a serial and an
-- index, one an identity column and a foreign key to the one before, one a key of two columns, one a uuid and an array.
-- Takes rehearsal.tables. Commits as it goes: one transaction could not lock so many.
DO $$
DECLARE
  space text;
  name text;
BEGIN
  FOR n IN 0 .. current_setting('rehearsal.tables')::int - 1 LOOP
    space := 'bulk_' || n / 4 % 10;
    name := format('%s.t%s', space, lpad(n::text, 5, '0'));
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %s', space);
    CASE n % 4
      WHEN 0 THEN
        EXECUTE format('CREATE TABLE %s (id bigserial PRIMARY KEY, label text NOT NULL, amount numeric(12, 2), at timestamptz NOT NULL DEFAULT now())', name);
        EXECUTE format('CREATE INDEX ON %s (label)', name);
        EXECUTE format('INSERT INTO %s (label, amount) SELECT md5(n::text), n / 4.0 FROM generate_series(1, 5) AS n', name);
      WHEN 1 THEN
        EXECUTE format('CREATE TABLE %s (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent bigint REFERENCES %s.t%s, note varchar(100))',
                       name, space, lpad((n - 1)::text, 5, '0'));
        EXECUTE format('CREATE INDEX ON %s (parent)', name);
        EXECUTE format('INSERT INTO %s (parent, note) SELECT n, ''note '' || n FROM generate_series(1, 5) AS n', name);
      WHEN 2 THEN
        EXECUTE format('CREATE TABLE %s (a int, b int, remark text, PRIMARY KEY (a, b))', name);
        EXECUTE format('INSERT INTO %s SELECT n, n, repeat(''r'', n) FROM generate_series(1, 5) AS n', name);
      ELSE
        EXECUTE format('CREATE TABLE %s (id uuid PRIMARY KEY, tags text[], day date CHECK (day > ''2000-01-01''))', name);
        EXECUTE format('INSERT INTO %s SELECT md5(n::text)::uuid, ARRAY[n::text], ''2024-01-01''::date + n FROM generate_series(1, 5) AS n', name);
    END CASE;
    IF n % 100 = 99 THEN
      COMMIT;
    END IF;
  END LOOP;
END $$;
