-- Makes the tables that keep what was compared. On the target, as the owner of schema pgleap.
-- Reads: nothing. Changes: three tables in schema pgleap. Safe to repeat.
CREATE TABLE IF NOT EXISTS pgleap.verified (
    schema text,
    name text,
    bytes bigint NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'equal', 'uncompared')),
    visits integer NOT NULL DEFAULT 0,
    -- Up to which key the table was scanned, as text; how many rows the next chunk takes; how often it had to be repeated.
    position text[],
    scanned boolean NOT NULL DEFAULT false,
    chunk bigint NOT NULL DEFAULT 10000,
    repeats integer NOT NULL DEFAULT 0,
    -- Why it is not compared.
    why text,
    PRIMARY KEY (schema, name)
);
-- Rows that differed when their chunk was read, by key; of a table without one by the hash of the row.
CREATE TABLE IF NOT EXISTS pgleap.verify_row (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schema text NOT NULL,
    name text NOT NULL,
    key text[] NOT NULL,
    visits integer NOT NULL DEFAULT 0,
    given_up boolean NOT NULL DEFAULT false,
    -- What was different at the last visit, if the row stood still on both sides.
    difference text,
    seen_at timestamptz
);
CREATE INDEX IF NOT EXISTS verify_row_of ON pgleap.verify_row (schema, name);
CREATE TABLE IF NOT EXISTS pgleap.verify_begin (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    mends bigint NOT NULL
);
