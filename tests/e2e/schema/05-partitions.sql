-- Partitions: by range with a default and a sub-partitioned one, by list; indexes on parent and child; a foreign key
-- from and to a partitioned table; a NOT NULL LOB column on the parent.

CREATE TABLE sensors (id int PRIMARY KEY, place varchar(60) NOT NULL);
CREATE TABLE measurements (
  token uuid NOT NULL,
  day date NOT NULL,
  sensor_id int NOT NULL REFERENCES sensors,
  value double precision,
  remark text NOT NULL DEFAULT '',
  CONSTRAINT measurements_pkey PRIMARY KEY (token, day)
) PARTITION BY RANGE (day);
CREATE TABLE measurements_2024 PARTITION OF measurements FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE measurements_2025 PARTITION OF measurements FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')
  PARTITION BY HASH (token);
CREATE TABLE measurements_2025_even PARTITION OF measurements_2025 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE measurements_2025_odd PARTITION OF measurements_2025 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE measurements_rest PARTITION OF measurements DEFAULT;
CREATE INDEX measurements_by_sensor ON measurements (sensor_id, day);
CREATE INDEX measurements_2024_value ON measurements_2024 (value) WHERE value IS NOT NULL;

CREATE TABLE measurement_notes (
  id int PRIMARY KEY,
  token uuid NOT NULL,
  day date NOT NULL,
  note varchar(100),
  CONSTRAINT measurement_notes_of FOREIGN KEY (token, day) REFERENCES measurements ON DELETE CASCADE
);

CREATE TABLE shipments (
  id bigint NOT NULL,
  carrier varchar(10) NOT NULL,
  weight numeric(8, 2),
  label text,
  PRIMARY KEY (id, carrier)
) PARTITION BY LIST (carrier);
CREATE TABLE shipments_post PARTITION OF shipments FOR VALUES IN ('post', 'parcel');
CREATE TABLE shipments_other PARTITION OF shipments DEFAULT;
-- A child that was attached, with an index name of its own under the parent's.
CREATE TABLE shipments_air (carrier varchar(10) NOT NULL, id bigint NOT NULL, label text, weight numeric(8, 2));
CREATE INDEX air_weights ON shipments_air (weight);
ALTER TABLE shipments ATTACH PARTITION shipments_air FOR VALUES IN ('air');
CREATE INDEX shipments_by_weight ON shipments (weight);

INSERT INTO sensors SELECT n, 'place ' || n FROM generate_series(1, 20) AS n;
INSERT INTO shipments SELECT n, (ARRAY['post', 'parcel', 'air', 'bike'])[n % 4 + 1], n / 8.0, 'label ' || n FROM generate_series(1, 4000) AS n;
INSERT INTO measurements
SELECT md5('measurement' || n)::uuid, '2024-01-01'::date + n % 1000, n % 20 + 1, CASE WHEN n % 11 > 0 THEN n / 13.0 END, repeat('r', n % 30)
FROM generate_series(1, current_setting('rehearsal.measurements')::int) AS n;
INSERT INTO measurement_notes
SELECT n, md5('measurement' || n)::uuid, '2024-01-01'::date + n % 1000, 'note ' || n FROM generate_series(1, 500) AS n;
