-- A schema as an operator's dump may hold it, for clients that know nothing of it: types, keys, foreign keys, checks,
-- triggers, partitions, and tables that take no rows. Reads: nothing. Changes: schema app.

CREATE SCHEMA app;
CREATE TYPE app.state AS ENUM ('new', 'paid', 'sent');
CREATE DOMAIN app.email AS text CHECK (VALUE ~ '@');
CREATE TABLE app.country (code char(2) PRIMARY KEY, name text NOT NULL UNIQUE);
INSERT INTO app.country SELECT chr(65 + n / 26) || chr(65 + n % 26), 'country ' || n FROM generate_series(0, 99) n;
CREATE TABLE app.customer (id serial PRIMARY KEY, email app.email NOT NULL, country char(2) NOT NULL REFERENCES app.country, born date, rating int CHECK (rating BETWEEN 1 AND 5), note text, made_at timestamptz NOT NULL DEFAULT now());
INSERT INTO app.customer (email, country, born, rating, note) SELECT 'c' || n || '@example.com', (SELECT code FROM app.country OFFSET n % 100 LIMIT 1), date '1980-01-01' + n, 1 + n % 5, repeat('x', n % 50) FROM generate_series(1, 500) n;
CREATE TABLE app.tag (id int PRIMARY KEY, name varchar(40) NOT NULL UNIQUE);
INSERT INTO app.tag SELECT n, 'tag ' || n FROM generate_series(1, 60) n;
CREATE TABLE app.customer_tag (customer_id int NOT NULL REFERENCES app.customer ON DELETE CASCADE, tag_id int NOT NULL REFERENCES app.tag, weight numeric(6,2), PRIMARY KEY (customer_id, tag_id));
INSERT INTO app.customer_tag SELECT n, 1 + n % 60, n FROM generate_series(1, 200) n;
CREATE TABLE app.purchase (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id int NOT NULL REFERENCES app.customer, state app.state NOT NULL DEFAULT 'new', total numeric(12,2) NOT NULL CHECK (total >= 0), paid numeric(12,2) NOT NULL, body jsonb, scan bytea, changed_at timestamptz, CHECK (paid <= total));
INSERT INTO app.purchase (customer_id, total, paid, body, scan) SELECT 1 + n % 500, n, n / 2, jsonb_build_object('n', n), decode(md5(n::text), 'hex') FROM generate_series(1, 1000) n;
CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.changed_at := clock_timestamp(); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON app.purchase FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE TABLE app.token (value uuid PRIMARY KEY, owner text NOT NULL, hits int NOT NULL DEFAULT 0);
CREATE TABLE app.log (at timestamptz NOT NULL, line text);
INSERT INTO app.log SELECT now(), 'line ' || n FROM generate_series(1, 300) n;
CREATE TABLE app.event (id uuid NOT NULL, day date NOT NULL, payload text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE app.event_2025 PARTITION OF app.event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE app.event_rest PARTITION OF app.event DEFAULT;
INSERT INTO app.event SELECT md5(n::text)::uuid, date '2025-11-01' + n % 100, 'p' FROM generate_series(1, 300) n;
CREATE TABLE app.small (flag boolean PRIMARY KEY, what text);
INSERT INTO app.small VALUES (true, 'a'), (false, 'b');
CREATE TABLE app.ruled (id int PRIMARY KEY, what text);
CREATE RULE no_ruled AS ON INSERT TO app.ruled DO INSTEAD NOTHING;
CREATE TABLE app.refused (id serial PRIMARY KEY, what text);
CREATE FUNCTION app.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'closed'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON app.refused FOR EACH ROW EXECUTE FUNCTION app.refuse();
CREATE TABLE app."Odd Name" ("The Key" text PRIMARY KEY, "select" int, "Ü" text[]);
INSERT INTO app."Odd Name" SELECT 'k' || n, n, ARRAY['a', NULL, 'b,c'] FROM generate_series(1, 50) n;
