-- What DMS cannot carry, or only if the data allows: one table for each, named after what is wrong with it, so that
-- preflight can be checked against this file. Every column called `bad` must be named by a blocker; the tables under
-- "whole tables" must be named as such; "if the data allows" holds data that does not.
-- Source: AWS DMS documentation, "Using a PostgreSQL database as an AWS DMS source" (data types, limitations).

CREATE SCHEMA undeliverable;
SET search_path = undeliverable;

-- Types that do not move.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE TYPE span AS RANGE (subtype = float8);
CREATE TABLE type_enum (id int PRIMARY KEY, bad mood);
CREATE TABLE type_enum_array (id int PRIMARY KEY, bad mood[]);
CREATE TABLE type_composite (id int PRIMARY KEY, bad pair);
CREATE TABLE type_timetz (id int PRIMARY KEY, bad timetz);
CREATE TABLE type_oid (id int PRIMARY KEY, bad oid);
CREATE TABLE type_inet (id int PRIMARY KEY, bad inet);
CREATE TABLE type_macaddr (id int PRIMARY KEY, bad macaddr);
CREATE TABLE type_macaddr8 (id int PRIMARY KEY, bad macaddr8);
CREATE TABLE type_tsvector (id int PRIMARY KEY, bad tsvector);
CREATE TABLE type_tsquery (id int PRIMARY KEY, bad tsquery);
CREATE TABLE type_line (id int PRIMARY KEY, bad line);
CREATE TABLE type_lseg (id int PRIMARY KEY, bad lseg);
CREATE TABLE type_box (id int PRIMARY KEY, bad box);
CREATE TABLE type_path (id int PRIMARY KEY, bad path);
CREATE TABLE type_circle (id int PRIMARY KEY, bad circle);
CREATE TABLE type_range (id int PRIMARY KEY, bad int4range);
CREATE TABLE type_own_range (id int PRIMARY KEY, bad span);
CREATE TABLE type_domain_over_enum (id int PRIMARY KEY);
CREATE DOMAIN good_mood AS mood CHECK (VALUE <> 'sad');
ALTER TABLE type_domain_over_enum ADD bad good_mood;
DO $$
BEGIN
  IF current_setting('server_version_num')::int >= 140000 THEN
    CREATE TABLE type_multirange (id int PRIMARY KEY, bad int4multirange);
  END IF;
END
$$;

-- A NOT NULL that cannot be lifted while DMS writes a large value in its second step.
CREATE DOMAIN present_text AS text NOT NULL;
CREATE TABLE not_null_domain (id int PRIMARY KEY, bad present_text);

-- If the data allows: here it does not.
CREATE TABLE value_numeric_too_long (id int PRIMARY KEY, bad numeric);
INSERT INTO value_numeric_too_long VALUES (1, 1234567890123456789012345678901234567890.5);
CREATE TABLE value_numeric_nan (id int PRIMARY KEY, bad numeric(10, 2));
INSERT INTO value_numeric_nan VALUES (1, 'NaN');
CREATE TABLE value_timestamp_infinite (id int PRIMARY KEY, bad timestamptz);
INSERT INTO value_timestamp_infinite VALUES (1, 'infinity');
CREATE TABLE value_varchar_too_long (id int PRIMARY KEY, bad varchar);
INSERT INTO value_varchar_too_long VALUES (1, repeat('x', 9000));

CREATE TABLE value_time_with_a_fraction (id int PRIMARY KEY, bad time);
INSERT INTO value_time_with_a_fraction VALUES (1, '12:00:00.5');

-- Whole tables.
CREATE TABLE keyless_with_lob (body text);
CREATE TABLE keyless_with_array (numbers int[]);
CREATE TABLE row_security (id int PRIMARY KEY);
ALTER TABLE row_security ENABLE ROW LEVEL SECURITY;
CREATE TABLE "Differs By Case" (id int PRIMARY KEY);
CREATE TABLE "differs by case" (id int PRIMARY KEY);
CREATE TABLE deferred_constraint (id int PRIMARY KEY, other int UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE unique_over_coalesce (id int PRIMARY KEY, maybe int);
CREATE UNIQUE INDEX unique_over_coalesce_key ON unique_over_coalesce (coalesce(maybe, -1));
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY);
CREATE TABLE parent_by_inheritance (id int PRIMARY KEY);
CREATE TABLE child_by_inheritance (PRIMARY KEY (id)) INHERITS (parent_by_inheritance);

-- Beside the tables: a large object.
SELECT lo_from_bytea(0, 'a large object');
RESET search_path;
