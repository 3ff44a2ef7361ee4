-- Makes the table that keeps what was measured. On the source, as the owner of schema pgleap.
-- Reads: nothing. Changes: one table in schema pgleap, which DMS does not carry. Safe to repeat.
CREATE TABLE IF NOT EXISTS pgleap.lob_length (
    reloads bigint,
    schema text,
    name text,
    "column" text,
    bytes bigint NOT NULL,
    PRIMARY KEY (reloads, schema, name, "column")
)
