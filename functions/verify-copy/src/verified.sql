-- Makes the tables that keep what was compared. On the target, as the owner of schema pgleap.
-- Reads: nothing. Changes: two tables in schema pgleap. Safe to repeat.
CREATE TABLE IF NOT EXISTS pgleap.verified (
    schema text,
    name text,
    bytes bigint NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'equal', 'skipped')),
    tries integer NOT NULL DEFAULT 0,
    suspicion text,
    suspected_at timestamptz,
    PRIMARY KEY (schema, name)
);
CREATE TABLE IF NOT EXISTS pgleap.verify_begin (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    mends bigint NOT NULL
);
