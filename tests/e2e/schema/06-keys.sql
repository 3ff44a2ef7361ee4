-- Keys that the database makes: identity of both kinds, serial, one sequence for two tables, a descending one, a
-- cycling one, one that nothing owns, one with a small type and a cache.

CREATE TABLE tickets (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  token uuid NOT NULL UNIQUE,
  slot int NOT NULL
);
CREATE TABLE ticket_counts (bucket int PRIMARY KEY, tickets bigint NOT NULL);
CREATE TABLE invoices (id serial PRIMARY KEY, token uuid NOT NULL, number bigint NOT NULL UNIQUE);
CREATE TABLE credit_notes (id bigserial PRIMARY KEY, token uuid NOT NULL, number bigint NOT NULL UNIQUE);
CREATE SEQUENCE accounting_number_seq START WITH 5000 INCREMENT BY 3;
ALTER TABLE invoices ALTER COLUMN number SET DEFAULT nextval('accounting_number_seq');
ALTER TABLE credit_notes ALTER COLUMN number SET DEFAULT nextval('accounting_number_seq');
CREATE SEQUENCE countdown_seq INCREMENT BY -2 MINVALUE -2000000000 MAXVALUE 1000000 START WITH 1000000;
CREATE TABLE countdowns (id int PRIMARY KEY DEFAULT nextval('countdown_seq'), token uuid NOT NULL);
CREATE SEQUENCE slot_seq MINVALUE 1 MAXVALUE 64 CYCLE;
ALTER TABLE tickets ALTER COLUMN slot SET DEFAULT nextval('slot_seq');
CREATE SEQUENCE unused_seq AS smallint CACHE 10;
CREATE SEQUENCE handed_out_seq OWNED BY tickets.token;

-- No key, on purpose; nothing in it is a LOB.
CREATE TABLE clicks (token uuid NOT NULL, page varchar(60), seen int NOT NULL DEFAULT 1, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX clicks_by_token ON clicks (token);

-- A key, and the whole row in the WAL all the same.
CREATE TABLE rates (currency char(3) PRIMARY KEY, rate numeric(18, 8) NOT NULL, at time, since interval);
ALTER TABLE rates REPLICA IDENTITY FULL;
CREATE TABLE stock (product_id int NOT NULL REFERENCES products, place varchar(20) NOT NULL, pieces int NOT NULL, batch int PRIMARY KEY);
CREATE UNIQUE INDEX stock_of_product ON stock (product_id, place);
CREATE TABLE empty_for_now (id int PRIMARY KEY, body text);

INSERT INTO ticket_counts SELECT n, 0 FROM generate_series(0, 15) AS n;
INSERT INTO tickets (token) SELECT md5('ticket' || n)::uuid FROM generate_series(1, 1000) AS n;
INSERT INTO invoices (token) SELECT md5('invoice' || n)::uuid FROM generate_series(1, 800) AS n;
INSERT INTO credit_notes (token) SELECT md5('credit' || n)::uuid FROM generate_series(1, 300) AS n;
INSERT INTO countdowns (token) SELECT md5('countdown' || n)::uuid FROM generate_series(1, 300) AS n;
INSERT INTO clicks (token, page, at) SELECT md5('click' || n)::uuid, 'page ' || n % 50, '2025-06-01'::timestamptz + n * interval '1 second' FROM generate_series(1, 3000) AS n;
INSERT INTO clicks (token, page, at) SELECT md5('click' || n)::uuid, 'page ' || n % 50, '2025-06-01'::timestamptz + n * interval '1 second' FROM generate_series(1, 20) AS n;
INSERT INTO rates SELECT 'C' || lpad(n::text, 2, '0'), 1 / (n + 3.0), '12:00:00'::time + n * interval '1 minute', n * interval '1 day 2 hours' FROM generate_series(1, 40) AS n;
INSERT INTO stock SELECT n, 'shelf ' || n % 30, n % 17, n FROM generate_series(1, 2000) AS n;
