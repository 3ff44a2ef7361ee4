-- What only the old server's subscription needs: it is created before the fence, follows after OPEN, and follows again after going
-- back has failed. Installed by the login that follows, to whom it belongs.
-- Reads: pg_subscription, pgleap.outcome. Changes: the subscription. Safe to repeat.

-- Before 16 a subscription can be created only by a superuser, or on RDS by a member of rds_superuser, and cannot be handed over: so
-- the login that follows creates it itself, in the moment in which it is a member. With its rights, not the owner's.
-- An error of EXECUTE would carry the statement, and with it the password, into the server's log: it is raised anew.
CREATE OR REPLACE FUNCTION pgleap_copy.subscribe(conninfo text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    said text;
    code text;
BEGIN
    EXECUTE format('CREATE SUBSCRIPTION %I CONNECTION %L PUBLICATION %I WITH (slot_name = %L, create_slot = false, '
                   'copy_data = false, enabled = false)', {name}, conninfo, {name}, {name});
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, code = RETURNED_SQLSTATE;
    RAISE EXCEPTION USING MESSAGE = said, ERRCODE = code;
END $$;
REVOKE ALL ON FUNCTION pgleap_copy.subscribe(text) FROM PUBLIC;

-- It follows from now on. Refused where a cutover is undecided: a late call must not wake what a drain has stopped.
CREATE OR REPLACE FUNCTION pgleap_copy.follow() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_subscription s WHERE s.subname = {name}) THEN
        RAISE EXCEPTION 'the old server does not follow any more: its subscription was dropped' USING ERRCODE = 'PGL01';
    END IF;
    PERFORM pgleap.let_follow({copy});
    IF EXISTS (SELECT FROM pg_subscription s WHERE s.subname = {name} AND NOT s.subenabled) THEN
        EXECUTE format('ALTER SUBSCRIPTION %I SET (slot_name = %L)', {name}, {name});
        EXECUTE format('ALTER SUBSCRIPTION %I ENABLE', {name});
    END IF;
END $$;
REVOKE ALL ON FUNCTION pgleap_copy.follow() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pgleap_copy.follow() TO {work_login};
