-- The rehearsal's own table beside an operator's own schema: the clients write here and nowhere else.

CREATE SCHEMA rehearsal;
CREATE TABLE rehearsal.probe (id uuid PRIMARY KEY, revision int NOT NULL, note text, written_at timestamptz NOT NULL DEFAULT clock_timestamp());
