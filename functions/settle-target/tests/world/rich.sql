-- What a definition forgets, beside the rehearsal's schema: run by the master user on the old major.
CREATE EXTENSION btree_gist;
CREATE SCHEMA rich AUTHORIZATION shop_owner;
SET ROLE shop_owner;
SET search_path = rich, public;

-- Keys: which are kept, which come back, and how.
CREATE TABLE two_unique_keys (a int, b int NOT NULL, c varchar(10));
CREATE UNIQUE INDEX nullable_key ON two_unique_keys (a);
CREATE UNIQUE INDEX kept_key ON two_unique_keys (b);
CREATE UNIQUE INDEX wide_key ON two_unique_keys (b, c);
CREATE TABLE identity_by_index (a int PRIMARY KEY, b int NOT NULL);
CREATE UNIQUE INDEX identity_index ON identity_by_index (b);
ALTER TABLE identity_by_index REPLICA IDENTITY USING INDEX identity_index;
CREATE TABLE bookings (
  id int PRIMARY KEY, room int, during tsrange, token int, slot int, note text,
  CONSTRAINT no_overlap EXCLUDE USING gist (room WITH =, during WITH &&) WITH (fillfactor = 70) WHERE (room IS NOT NULL),
  CONSTRAINT token_later UNIQUE (token) INCLUDE (room) WITH (fillfactor = 60) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT slot_deferrable UNIQUE (slot) DEFERRABLE
);
COMMENT ON CONSTRAINT no_overlap ON bookings IS 'one guest a room';
COMMENT ON INDEX no_overlap IS 'its index';
COMMENT ON CONSTRAINT token_later ON bookings IS 'at the end';
COMMENT ON INDEX token_later IS 'the index of a constraint';
CREATE INDEX by_distance ON bookings USING gist (note gist_trgm_ops (siglen = 32)) WITH (fillfactor = 50);
ALTER INDEX by_distance SET (fillfactor = 55);
CREATE INDEX "Odd "" index" ON bookings ((room + 1), lower(note) COLLATE "C" DESC, id) WHERE room > 0 AND note LIKE 'a''b%';
ALTER INDEX "Odd "" index" ALTER COLUMN 1 SET STATISTICS 77;
ALTER INDEX "Odd "" index" ALTER COLUMN 2 SET STATISTICS 0;
CREATE INDEX for_cluster ON bookings (room);
ALTER TABLE bookings CLUSTER ON for_cluster;
INSERT INTO bookings SELECT n, n, tsrange('2024-01-01', '2024-01-02'), n, n, 'note ' || n FROM generate_series(1, 50) AS n;

DO $$
BEGIN
  IF current_setting('server_version_num')::int >= 150000 THEN
    EXECUTE 'CREATE TABLE nulls_are_one (id int PRIMARY KEY, a int, CONSTRAINT one_null UNIQUE NULLS NOT DISTINCT (a) DEFERRABLE)';
  END IF;
END $$;
-- Functions in an index: one that needs the search path, one that brings its own.
RESET ROLE;
CREATE FUNCTION public.plain(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(t)';
SET ROLE shop_owner;
CREATE FUNCTION needs_path(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN plain(t); END';
CREATE FUNCTION brings_path(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = public AS 'BEGIN RETURN plain(t); END';
CREATE TABLE functional (id int PRIMARY KEY, note varchar(20));
INSERT INTO functional VALUES (1, 'Note');
CREATE INDEX by_needed_path ON functional (needs_path(note));
CREATE INDEX by_brought_path ON functional (brings_path(note));

-- Partitions: a unique constraint with children of own names, two levels, a foreign key each way, identity on top.
CREATE TABLE tree (id int GENERATED ALWAYS AS IDENTITY, region int NOT NULL, code varchar(9), body text NOT NULL, parent_id int, parent_region int,
  CONSTRAINT tree_pkey PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE tree_1 PARTITION OF tree FOR VALUES IN (1);
CREATE TABLE tree_2 PARTITION OF tree FOR VALUES IN (2) PARTITION BY RANGE (id);
CREATE TABLE tree_2_low PARTITION OF tree_2 FOR VALUES FROM (0) TO (1000);
CREATE TABLE tree_2_high PARTITION OF tree_2 FOR VALUES FROM (1000) TO (2000000);
ALTER TABLE tree_1 ADD CONSTRAINT own_name_of_a_child UNIQUE (region, id, code);
CREATE INDEX own_index_of_a_child ON tree_2_low (code) WITH (fillfactor = 80);
COMMENT ON INDEX own_index_of_a_child IS 'older than its parent';
ALTER TABLE tree ADD CONSTRAINT tree_code UNIQUE (region, id, code);
CREATE INDEX tree_by_code ON tree (code);
COMMENT ON CONSTRAINT tree_code ON tree IS 'on the parent';
COMMENT ON INDEX tree_by_code IS 'parent of four';
CREATE TABLE tree_3 (region int NOT NULL, id int NOT NULL, code varchar(9), body text NOT NULL, parent_id int, parent_region int);
ALTER TABLE tree ADD CONSTRAINT tree_parent FOREIGN KEY (parent_region, parent_id) REFERENCES tree (region, id) ON DELETE CASCADE;
COMMENT ON CONSTRAINT tree_parent ON tree IS 'to itself';
ALTER TABLE tree_3 ADD CONSTRAINT own_foreign_key FOREIGN KEY (parent_region, parent_id) REFERENCES tree (region, id) ON DELETE CASCADE;
ALTER TABLE tree ATTACH PARTITION tree_3 FOR VALUES IN (3);
CREATE TABLE leaves_of_tree (id int PRIMARY KEY, region int, tree_id int, tree_code varchar(9),
  CONSTRAINT leaf_of FOREIGN KEY (region, tree_id) REFERENCES tree DEFERRABLE INITIALLY DEFERRED);
INSERT INTO tree (region, code, body) SELECT 1 + n % 3, 'c' || n, repeat('b', n) FROM generate_series(1, 90) AS n;
UPDATE tree SET parent_region = 1, parent_id = 3 WHERE region = 2;
INSERT INTO leaves_of_tree SELECT n, 1, n * 3, NULL FROM generate_series(1, 9) AS n;
SET CONSTRAINTS ALL IMMEDIATE;
-- Rows that are older than the constraints that they break.
ALTER TABLE leaves_of_tree ADD CONSTRAINT leaf_by_code FOREIGN KEY (region, tree_id, tree_code) REFERENCES tree (region, id, code) MATCH FULL NOT VALID,
  ADD CONSTRAINT positive_from_now_on CHECK (tree_id > 3) NOT VALID;

-- Large columns: NOT NULL in all ways, checks that say something of them, what is computed from them.
CREATE DOMAIN short_text AS text CHECK (length(VALUE) < 100);
CREATE TABLE large_columns (
  id int PRIMARY KEY,
  "Body" text NOT NULL,
  data jsonb NOT NULL DEFAULT '{}',
  bits bytea NOT NULL,
  list int[] NOT NULL,
  wide varchar NOT NULL,
  short short_text NOT NULL,
  digest char(32) NOT NULL GENERATED ALWAYS AS (md5("Body")) STORED,
  kind int NOT NULL,
  CONSTRAINT body_is_there CHECK ("Body" IS NOT NULL),
  CONSTRAINT body_or_kind CHECK ((kind = 0) = ("Body" = '')),
  CONSTRAINT not_yet_checked CHECK (length(wide) < 50) NOT VALID,
  CONSTRAINT not_for_heirs CHECK (data <> 'null') NO INHERIT,
  CONSTRAINT the_whole_row CHECK (large_columns IS NOT NULL),
  CONSTRAINT not_about_them CHECK (kind >= 0)
);
COMMENT ON CONSTRAINT body_or_kind ON large_columns IS 'two columns';
INSERT INTO large_columns (id, "Body", bits, list, wide, short, kind) SELECT n, 'body ' || n, '\x00', '{1,2}', 'wide', 'short', 1 FROM generate_series(1, 20) AS n;
CREATE TABLE text_key (name text PRIMARY KEY, value text NOT NULL);
INSERT INTO text_key VALUES ('a', 'b');
ALTER TABLE tree ADD CONSTRAINT tree_body CHECK (body <> 'x');

-- What fires: a constraint trigger, an inherited one in another state on one partition, a rule.
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON bookings DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TRIGGER on_the_tree AFTER INSERT ON tree FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE TRIGGER always_on_the_tree AFTER UPDATE ON tree FOR EACH ROW EXECUTE FUNCTION nothing();
ALTER TABLE tree ENABLE ALWAYS TRIGGER always_on_the_tree;
ALTER TABLE tree_1 DISABLE TRIGGER on_the_tree;
COMMENT ON TRIGGER later ON bookings IS 'at commit';
CREATE TABLE ruled (id int PRIMARY KEY, note varchar(9));
CREATE TABLE ruled_log (id int PRIMARY KEY);
CREATE RULE log_it AS ON INSERT TO ruled DO ALSO INSERT INTO ruled_log VALUES (NEW.id);
CREATE RULE never AS ON DELETE TO ruled DO INSTEAD NOTHING;
ALTER TABLE ruled DISABLE RULE never;

-- Materialized views over each other, through a plain view, with a function that needs the search path.
CREATE FUNCTION unqualified() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM pgbench_branches';
CREATE MATERIALIZED VIEW top AS SELECT count(*) AS n FROM tree WITH NO DATA;
CREATE MATERIALIZED VIEW base AS SELECT region, count(*) AS n FROM tree GROUP BY region;
CREATE UNIQUE INDEX base_key ON base (region);
CREATE VIEW between_them AS SELECT * FROM base WHERE n > 0;
CREATE MATERIALIZED VIEW "Above it" AS SELECT sum(n) AS n FROM between_them;
CREATE MATERIALIZED VIEW highest AS SELECT a.n, b.n AS m FROM "Above it" a, base b;
RESET ROLE;
RESET search_path;
