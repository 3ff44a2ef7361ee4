-- What may be done to the subscription later. Installed by the copy login, to whom it belongs; the working login calls them.
-- Reads: pg_subscription. Changes: the subscription. Safe to repeat.

-- It applies from now on.
CREATE OR REPLACE FUNCTION pgleap_copy.start_subscription() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_subscription s WHERE s.subname = {name} AND NOT s.subenabled) THEN
        EXECUTE format('ALTER SUBSCRIPTION %I ENABLE', {name});
    END IF;
END $$;

-- Every applied transaction is flushed at once from here on, so that the source learns of it within milliseconds. The
-- server restarts the worker for it, so not under the fence.
CREATE OR REPLACE FUNCTION pgleap_copy.flush_each() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_asked boolean := EXISTS (SELECT FROM pg_subscription s WHERE s.subname = {name});
BEGIN
    BEGIN
        is_asked := is_asked AND EXISTS (SELECT FROM pg_subscription s WHERE s.subname = {name} AND s.subsynccommit <> 'on');
    EXCEPTION WHEN insufficient_privilege THEN
        NULL; -- 13 shows the setting to nobody
    END;
    IF is_asked THEN
        EXECUTE format('ALTER SUBSCRIPTION %I SET (synchronous_commit = on)', {name});
    END IF;
END $$;

-- It applies nothing any more, and the server starts no worker for it. Without its slot's name it cannot be enabled: a call of
-- start_subscription that arrives late fails.
CREATE OR REPLACE FUNCTION pgleap_copy.stop_subscription() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_subscription s WHERE s.subname = {name} AND s.subenabled) THEN
        EXECUTE format('ALTER SUBSCRIPTION %I DISABLE', {name});
        EXECUTE format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', {name});
    END IF;
END $$;

-- It is gone, without a word to the server that it followed, which may be gone too.
CREATE OR REPLACE FUNCTION pgleap_copy.drop_subscription() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_subscription s WHERE s.subname = {name}) THEN
        EXECUTE format('ALTER SUBSCRIPTION %I DISABLE', {name});
        EXECUTE format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', {name});
        EXECUTE format('DROP SUBSCRIPTION %I', {name});
    END IF;
END $$;

REVOKE ALL ON FUNCTION pgleap_copy.start_subscription(), pgleap_copy.flush_each(), pgleap_copy.stop_subscription(),
    pgleap_copy.drop_subscription() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pgleap_copy.start_subscription(), pgleap_copy.flush_each(), pgleap_copy.stop_subscription(),
    pgleap_copy.drop_subscription() TO {work_login};
