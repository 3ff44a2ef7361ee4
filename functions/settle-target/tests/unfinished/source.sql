-- What the catalogs call valid and is not, and what needs the search path of the applications' role. Run by a superuser.
ALTER ROLE shop_app RESET search_path;
CREATE ROLE app_rw LOGIN;
ALTER ROLE app_rw SET search_path = rich, public;
GRANT USAGE ON SCHEMA rich TO app_rw;
SET ROLE shop_owner;
SET search_path = rich, public;

-- Checks that were true when they were written: of a column, over a large column, of a domain.
CREATE TABLE due (id int PRIMARY KEY, at timestamptz NOT NULL CONSTRAINT due_later CHECK (at > clock_timestamp() - interval '300 milliseconds'));
INSERT INTO due VALUES (1, clock_timestamp());
CREATE TABLE due_with_text (id int PRIMARY KEY, body text, at timestamptz NOT NULL,
  CONSTRAINT due_with_text_later CHECK (body IS NULL OR at > clock_timestamp() - interval '300 milliseconds'));
INSERT INTO due_with_text VALUES (1, 'x', clock_timestamp());
CREATE DOMAIN fresh AS timestamptz CONSTRAINT fresh_later CHECK (VALUE > clock_timestamp() - interval '300 milliseconds');
CREATE TABLE due_by_domain (id int PRIMARY KEY, at fresh);
INSERT INTO due_by_domain VALUES (1, clock_timestamp());
-- A domain that lets older values be, one over a large value.
CREATE DOMAIN pct AS int;
CREATE TABLE shares (id int PRIMARY KEY, share pct);
INSERT INTO shares VALUES (1, 140);
ALTER DOMAIN pct ADD CONSTRAINT pct_range CHECK (VALUE BETWEEN 0 AND 100) NOT VALID;
CREATE DOMAIN said AS text CONSTRAINT said_something CHECK (VALUE IS NOT NULL);
COMMENT ON CONSTRAINT said_something ON DOMAIN said IS 'not nothing';
CREATE TABLE sayings (id int PRIMARY KEY, body said);
INSERT INTO sayings VALUES (1, 'x');

-- A foreign key with orphans.
CREATE TABLE o1 (id int PRIMARY KEY);
CREATE TABLE o2 (id int PRIMARY KEY, o1 int CONSTRAINT o2_o1 REFERENCES o1);
INSERT INTO o1 VALUES (1);
INSERT INTO o2 VALUES (1, 1);

-- Functions with names that only the role's search path finds: in checks, a generated column, an index, a domain.
CREATE TABLE words (w varchar(20) PRIMARY KEY);
CREATE FUNCTION clean(t text) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN NOT EXISTS (SELECT FROM words WHERE w = t); END';
CREATE FUNCTION half(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n / 2';
CREATE FUNCTION quarter(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN half(half(n)); END';
CREATE TABLE p1 (id int PRIMARY KEY, body text CONSTRAINT p1_clean CHECK (rich.clean(body)));
INSERT INTO p1 VALUES (1, 'good');
CREATE TABLE p2 (id int PRIMARY KEY, w varchar(20) CONSTRAINT p2_clean CHECK (rich.clean(w)));
INSERT INTO p2 VALUES (1, 'good');
CREATE TABLE p3 (id int PRIMARY KEY, n int, q int GENERATED ALWAYS AS (rich.quarter(n)) STORED);
INSERT INTO p3 (id, n) VALUES (1, 100);
CREATE TABLE p4 (id int PRIMARY KEY, n int);
CREATE INDEX p4_q ON p4 (rich.quarter(n));
INSERT INTO p4 VALUES (1, 100);
CREATE DOMAIN word AS varchar(20) CONSTRAINT word_clean CHECK (rich.clean(VALUE));
CREATE TABLE p5 (id int PRIMARY KEY, w word);
INSERT INTO p5 VALUES (1, 'good');

-- Materialized views: one that fails on a row of today, one that needs the search path.
CREATE TABLE j2 (id int PRIMARY KEY, n int NOT NULL);
INSERT INTO j2 VALUES (1, 5);
CREATE MATERIALIZED VIEW j2_share AS SELECT id, 100 / n AS share FROM j2;
UPDATE j2 SET n = 0;
CREATE FUNCTION total() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT sum(id) FROM o1); END';
RESET ROLE;
SET search_path = rich, public;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA rich TO app_rw;
SET session_replication_role = replica;
DELETE FROM rich.o1;
INSERT INTO rich.o1 VALUES (2);
RESET session_replication_role;
SET ROLE shop_owner;
CREATE MATERIALIZED VIEW o1_total AS SELECT rich.total() AS t;
RESET ROLE;
