-- The subscription, by a function, so that the password that it connects with is a parameter and stands in no statement.
-- Installed and called by the owner. Reads: pgleap.run, pgleap.outcome. Changes: the subscription, the publication. Safe to repeat.

-- A call that arrives after the run is over, or its cutover decided, changes nothing; undecided it stays until the caller commits.
CREATE OR REPLACE FUNCTION pgleap.ensure_undecided(run text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    decided text;
BEGIN
    SELECT o.outcome INTO decided FROM pgleap.outcome o ORDER BY o.generation DESC LIMIT 1 FOR SHARE;
    IF decided IS NOT NULL OR NOT EXISTS (SELECT FROM pgleap.run r WHERE r.id = run) THEN
        RAISE EXCEPTION 'the run is over' USING ERRCODE = 'PGL01';
    END IF;
END $$;
REVOKE ALL ON FUNCTION pgleap.ensure_undecided(text) FROM PUBLIC;
SELECT pgleap.ensure_undecided({run});

-- Create it, switched off, at a position of the source's WAL (if it is null, where the slot stands), in one transaction: a position that is set on its own is lost
-- when the server dies within the next second or so. It is handed to the copy login, which keeps its CONNECT while the cutover
-- keeps the owner out.
-- An error of EXECUTE would carry the statement, and with it the password, into the server's log: it is raised anew.
CREATE OR REPLACE FUNCTION pgleap.subscribe(run text, conninfo text, start pg_lsn) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    said text;
    code text;
BEGIN
    PERFORM pgleap.ensure_undecided(run);
    BEGIN
        EXECUTE format('CREATE SUBSCRIPTION %I CONNECTION %L PUBLICATION %I WITH (slot_name = %L, create_slot = false, '
                       'copy_data = false, enabled = false, streaming = on, run_as_owner = true)', {name}, conninfo, {name}, {name});
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, code = RETURNED_SQLSTATE;
        RAISE EXCEPTION USING MESSAGE = said, ERRCODE = code;
    END;
    PERFORM pg_replication_origin_advance('pg_' || s.oid, start) FROM pg_subscription s
    WHERE start IS NOT NULL AND s.subname = {name} AND s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
    -- A member for the moment of the change only: a membership of the owner's login would pass the fence.
    EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT FALSE, SET TRUE', {copy});
    EXECUTE format('ALTER SUBSCRIPTION %I OWNER TO %I', {name}, {copy});
    EXECUTE format('REVOKE %I FROM CURRENT_USER', {copy});
END $$;
REVOKE ALL ON FUNCTION pgleap.subscribe(text, text, pg_lsn) FROM PUBLIC;

-- The snapshot brought the publication along. Here it would only refuse applications their updates, once the tables log of
-- their old rows what they logged before the run.
DROP PUBLICATION IF EXISTS {publication};

CREATE SCHEMA IF NOT EXISTS pgleap_copy;
GRANT USAGE, CREATE ON SCHEMA pgleap_copy TO {copy_login};
GRANT USAGE ON SCHEMA pgleap_copy TO {work_login};
