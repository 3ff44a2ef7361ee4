-- The subscription on the target, by functions, so that the password that it connects with is a parameter and stands in no
-- statement. Installed by the owner, to whom the subscription belongs; the working login may stop it and speed it up.
-- Reads: pg_subscription, pgleap.run, pgleap.outcome. Changes: the subscription. Safe to repeat.

-- Create it, switched off, at a position of the source's WAL, in one transaction: a position that is set on its own is lost
-- when the server dies within the next second or so. A call that arrives after the run is over, or decided, creates none.
-- An error of EXECUTE would carry the statement, and with it the password, into the server's log: it is raised anew.
CREATE OR REPLACE FUNCTION pgleap.subscribe(run text, conninfo text, start pg_lsn, options text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    said text;
    code text;
BEGIN
    PERFORM FROM pgleap.run r WHERE r.id = run;
    IF NOT FOUND OR EXISTS (SELECT FROM pgleap.outcome o WHERE o.outcome IS NOT NULL FOR SHARE) THEN
        RAISE EXCEPTION 'the run is over' USING ERRCODE = 'PGL01';
    END IF;
    BEGIN
        EXECUTE format('CREATE SUBSCRIPTION %I CONNECTION %L PUBLICATION %I WITH (slot_name = %L, create_slot = false, '
                       'copy_data = false, enabled = false%s)', {name}, conninfo, {name}, {name}, options);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, code = RETURNED_SQLSTATE;
        RAISE EXCEPTION USING MESSAGE = said, ERRCODE = code;
    END;
    PERFORM pg_replication_origin_advance('pg_' || s.oid, start) FROM pg_subscription s
    WHERE s.subname = {name} AND s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
END $$;

-- Every applied transaction is flushed at once from here on, so that the source learns of it within milliseconds. The
-- server restarts the worker for it, so not under the fence.
CREATE OR REPLACE FUNCTION pgleap.flush_each() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_subscription s WHERE s.subname = {name} AND s.subsynccommit <> 'on') THEN
        EXECUTE format('ALTER SUBSCRIPTION %I SET (synchronous_commit = on)', {name});
    END IF;
END $$;

-- It applies nothing any more, and the server starts no worker for it.
CREATE OR REPLACE FUNCTION pgleap.stop_subscription() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_subscription s WHERE s.subname = {name} AND s.subenabled) THEN
        EXECUTE format('ALTER SUBSCRIPTION %I DISABLE', {name});
    END IF;
END $$;

REVOKE ALL ON FUNCTION pgleap.subscribe(text, text, pg_lsn, text), pgleap.flush_each(), pgleap.stop_subscription() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pgleap.flush_each(), pgleap.stop_subscription() TO {work};
