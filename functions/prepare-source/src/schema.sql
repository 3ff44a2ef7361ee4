-- What a run keeps in the database, born in one transaction with the row that says whose it is.
-- Reads: nothing. Changes: schema pgleap, owned by the login that runs this. Safe to repeat.
BEGIN;
CREATE SCHEMA IF NOT EXISTS pgleap;
CREATE TABLE IF NOT EXISTS pgleap.run (
    id text PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO pgleap.run (id) VALUES ({run}) ON CONFLICT DO NOTHING;
-- The copy engine carries this table: a row that is seen on the target says that everything committed before it is there.
-- No `text`: where large values are written in a second step, NOT NULL would refuse the first.
CREATE TABLE IF NOT EXISTS pgleap.marker (
    id uuid PRIMARY KEY,
    kind varchar(20) NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- What a table logged of its old rows before the run asked for whole ones. identity: as in pg_class.relreplident.
CREATE TABLE IF NOT EXISTS pgleap.replica_identity_before (
    schema_name name,
    table_name name,
    identity "char" NOT NULL,
    index_name name,
    PRIMARY KEY (schema_name, table_name)
);
GRANT USAGE ON SCHEMA pgleap TO {work}, {copy};
GRANT SELECT ON pgleap.run, pgleap.replica_identity_before TO {work};
GRANT SELECT, INSERT ON pgleap.marker TO {work};
GRANT SELECT ON pgleap.marker TO {copy};
COMMIT;
