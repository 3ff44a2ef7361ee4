-- What DMS cannot carry and logical replication can: types, keys of text and bytes, values that a clock or a number does not
-- have, tables without a key and with equal rows, deferrable constraints, inheritance, row security, changes of keys, TRUNCATE.
-- Loaded where the native engine copies. `wide.churn` changes all of it, once for each transaction of a client.

RESET search_path;
CREATE SCHEMA wide AUTHORIZATION shop_owner;
SET ROLE shop_owner;
CREATE TYPE wide.mood AS ENUM ('sad', 'o''k', 'happy');
CREATE TYPE wide.pair AS (a int, b text);
CREATE DOMAIN wide.good_mood AS wide.mood CHECK (VALUE <> 'sad');

CREATE TABLE wide.written (token uuid PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE wide.types (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  mood wide.mood NOT NULL DEFAULT 'happy', moods wide.mood[], good wide.good_mood, pair wide.pair,
  address inet, network cidr, machine macaddr, machine8 macaddr8,
  words tsvector, wanted tsquery, line line, segment lseg, box box, path path, polygon polygon, circle circle, point point,
  whole int4range, big int8range, exact numrange, days daterange, moments tstzrange,
  document xml, raw json, bits bit varying, clock timetz, time time(6), duration interval, relation regclass, number oid, position pg_lsn,
  note text, doubled text GENERATED ALWAYS AS (note || note) STORED
);
CREATE TABLE wide.values_at_the_edge (
  id int PRIMARY KEY, at timestamptz, day date, exact numeric, rough float8, small real, long varchar, bytes bytea, past date, far timestamp
);
CREATE TABLE wide.text_key (name text PRIMARY KEY, hits int NOT NULL DEFAULT 0);
CREATE TABLE wide.bytes_key (hash bytea, part text, hits int NOT NULL DEFAULT 0, PRIMARY KEY (hash, part));
CREATE TABLE wide.keyless (word text, number numeric, list int[], mood wide.mood);
CREATE TABLE wide.deferred_key (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, place int UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE wide.parent (id int PRIMARY KEY, up int REFERENCES wide.parent DEFERRABLE INITIALLY DEFERRED, note text);
CREATE TABLE wide.child (PRIMARY KEY (id), extra wide.mood) INHERITS (wide.parent);
CREATE TABLE wide.secured (id int PRIMARY KEY, tenant text NOT NULL, note text);
CREATE POLICY own_rows ON wide.secured TO shop_app USING (tenant = current_user);
ALTER TABLE wide.secured ENABLE ROW LEVEL SECURITY;
CREATE TABLE wide.emptied (id int PRIMARY KEY);
CREATE TABLE wide.of_emptied (id int PRIMARY KEY, emptied int REFERENCES wide.emptied);
CREATE TABLE wide.by_text (region text, id int, hits int NOT NULL DEFAULT 0, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE wide.by_text_north PARTITION OF wide.by_text FOR VALUES IN ('north');
CREATE TABLE wide.by_text_rest PARTITION OF wide.by_text DEFAULT;
CREATE TABLE wide.keyless_parts (region int, word text) PARTITION BY RANGE (region);
CREATE TABLE wide.keyless_parts_low PARTITION OF wide.keyless_parts FOR VALUES FROM (0) TO (5);
CREATE TABLE wide.keyless_parts_high PARTITION OF wide.keyless_parts FOR VALUES FROM (5) TO (10);
CREATE UNIQUE INDEX maybe_once ON wide.parent (coalesce(note, 'none'), id);

INSERT INTO wide.types (mood, moods, good, pair, address, network, machine, machine8, words, wanted, line, segment, box, path, polygon, circle,
                        point, whole, big, exact, days, moments, document, raw, bits, clock, time, duration, relation, number, position, note)
SELECT 'o''k', ARRAY['sad', NULL]::wide.mood[], 'happy', ROW (n, 'b,"')::wide.pair, ('10.0.' || n % 250 || '.7/24')::inet, '192.168.0.0/16', '08:00:2b:01:02:03',
       '08:00:2b:01:02:03:04:05', to_tsvector('simple', 'word ' || n), 'a & !b', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1)]', '((0,0),(1,1),(1,0))',
       '<(0,0),5>', '(1,2)', int4range(n, n + 9), int8range(NULL, n), numrange(n, NULL, '(]'), '[2026-01-01,infinity)', tstzrange('-infinity', now()),
       '<a b="c"/>', '{"b": 1,  "a": [null]}', B'10110', '12:00:00.123456+05:30', '23:59:59.999999', '1 year -3 days 04:05:06.7', 'pg_class', n, '16/B374D848',
       repeat('note ', n % 900)
FROM generate_series(1, 400) AS n;
INSERT INTO wide.values_at_the_edge VALUES
  (1, 'infinity', '-infinity', 'NaN', 'NaN', 'Infinity', repeat('x', 9000), '\x00ff', '4713-01-01 BC', '294276-12-31 23:59:59.999999'),
  (2, '-infinity', 'infinity', 1234567890123456789012345678901234567890.0123456789, '-Infinity', '-0', '', '', '0001-01-01 BC', '-infinity'),
  (3, NULL, NULL, 1e-130, '-0', 1e-45, NULL, NULL, NULL, NULL);
INSERT INTO wide.text_key SELECT 'name ' || n FROM generate_series(1, 500) AS n;
INSERT INTO wide.bytes_key SELECT sha256(n::text::bytea), 'part ' || n % 3 FROM generate_series(1, 500) AS n;
INSERT INTO wide.keyless SELECT 'word ' || n % 7, n % 3, ARRAY[n % 2, NULL], 'sad' FROM generate_series(1, 300) AS n;
INSERT INTO wide.deferred_key SELECT n, n FROM generate_series(1, 60) AS n;
INSERT INTO wide.parent SELECT n, nullif(n % 9, 0), 'parent ' || n FROM generate_series(1, 100) AS n;
INSERT INTO wide.child SELECT n, nullif(n % 9, 0), 'child ' || n, 'happy' FROM generate_series(101, 160) AS n;
INSERT INTO wide.secured SELECT n, CASE n % 2 WHEN 0 THEN 'shop_app' ELSE 'somebody' END, 'note ' || n FROM generate_series(1, 80) AS n;
INSERT INTO wide.emptied SELECT n FROM generate_series(1, 20) AS n;
INSERT INTO wide.of_emptied SELECT n, n FROM generate_series(1, 20) AS n;
INSERT INTO wide.by_text SELECT CASE n % 3 WHEN 0 THEN 'north' ELSE 'region ' || n % 5 END, n FROM generate_series(1, 200) AS n;
INSERT INTO wide.keyless_parts SELECT n % 10, 'word ' || n % 4 FROM generate_series(1, 100) AS n;

-- A range of its own has a multirange from 14 on, which an upgrade makes by itself.
RESET ROLE;
DO $do$
BEGIN
  IF current_setting('server_version_num')::int >= 140000 THEN
    CREATE TYPE wide.span AS RANGE (subtype = float8);
    CREATE TABLE wide.own_range (id int PRIMARY KEY, span wide.span NOT NULL, spans int4multirange);
    INSERT INTO wide.own_range SELECT n, wide.span(0.5, n), '{[1,3),[5,9)}' FROM generate_series(1, 20) AS n;
  END IF;
END
$do$;
SET ROLE shop_owner;

-- A TRUNCATE empties a table for older snapshots too, and the comparison at the drain point is read from one while clients write
-- to the target: so none there.
CREATE TABLE wide.truncated_on (major int PRIMARY KEY);
INSERT INTO wide.truncated_on SELECT current_setting('server_version_num')::int / 10000;

-- One change of each kind; `turn` says which rows.
CREATE FUNCTION wide.churn(turn int) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO wide.types (mood, address, words, whole, pair, note) VALUES (CASE turn % 2 WHEN 0 THEN 'sad' ELSE 'happy' END::wide.mood, ('10.1.0.' || turn % 250)::inet,
    to_tsvector('simple', 'turn ' || turn), int4range(turn % 100, turn % 100 + 5), ROW (turn, NULL)::wide.pair, repeat('n', turn % 3000));
  UPDATE wide.types SET mood = 'o''k', moods = moods || 'happy'::wide.mood, clock = clock + interval '1 ms' WHERE id = turn % 400 + 1;
  DELETE FROM wide.types WHERE id = (SELECT max(id) - 60 FROM wide.types);
  UPDATE wide.values_at_the_edge SET exact = CASE turn % 3 WHEN 0 THEN numeric 'NaN' ELSE turn END, at = CASE turn % 2 WHEN 0 THEN timestamptz 'infinity' ELSE now() END WHERE id = turn % 3 + 1;
  UPDATE wide.text_key SET hits = hits + 1 WHERE name = 'name ' || turn % 500;
  UPDATE wide.text_key SET name = name || '.' WHERE name = 'name ' || turn % 97 AND turn % 11 = 0;
  UPDATE wide.bytes_key SET hash = sha256(hash), hits = hits + 1 WHERE hash = sha256((turn % 500)::text::bytea);
  UPDATE wide.keyless SET number = number + 1 WHERE ctid = (SELECT ctid FROM wide.keyless WHERE word = 'word ' || turn % 7 LIMIT 1 FOR UPDATE SKIP LOCKED);
  DELETE FROM wide.keyless WHERE ctid = (SELECT ctid FROM wide.keyless WHERE word = 'word ' || (turn + 3) % 7 LIMIT 1 FOR UPDATE SKIP LOCKED);
  INSERT INTO wide.keyless VALUES ('word ' || turn % 7, turn % 3, ARRAY[turn % 2, NULL], 'happy'), ('word ' || turn % 7, turn % 3, ARRAY[turn % 2, NULL], 'happy');
  UPDATE wide.secured SET note = 'turn ' || turn WHERE id = turn % 80 + 1;
  INSERT INTO wide.by_text VALUES ('region ' || turn % 5, 1000 + turn) ON CONFLICT DO NOTHING;
  UPDATE wide.by_text SET region = CASE region WHEN 'north' THEN 'south' ELSE 'north' END, hits = hits + 1 WHERE id = turn % 200 + 1;
  UPDATE wide.keyless_parts SET region = (region + 5) % 10 WHERE ctid = (SELECT ctid FROM wide.keyless_parts_low WHERE word = 'word ' || turn % 4 LIMIT 1 FOR UPDATE SKIP LOCKED)
    AND tableoid = 'wide.keyless_parts_low'::regclass;
  INSERT INTO wide.keyless_parts VALUES (turn % 5, 'word ' || turn % 4);
  UPDATE wide.child SET extra = 'sad', note = 'turn ' || turn WHERE id = 101 + turn % 60;
  UPDATE ONLY wide.parent SET note = 'turn ' || turn WHERE id = turn % 100 + 1;
  IF turn % 50 = 0 THEN
    UPDATE wide.deferred_key SET id = 61 - id, place = 61 - place;
    IF EXISTS (SELECT FROM wide.truncated_on WHERE major = current_setting('server_version_num')::int / 10000) THEN
      TRUNCATE wide.emptied, wide.of_emptied;
      INSERT INTO wide.emptied VALUES (turn);
      INSERT INTO wide.of_emptied VALUES (turn, turn);
    END IF;
  END IF;
END $$;
RESET ROLE;
