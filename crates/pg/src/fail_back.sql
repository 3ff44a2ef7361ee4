-- The fail-back path: after OPEN the old server follows the new one, until the path is used or closed.
--
-- Installed with access.sql on both sides, by the owner; called by the run's working login, or by the login that follows.
-- Reads: catalogs, pgleap.outcome. Changes: pgleap.fail_back, pgleap.outcome, rights of the login that follows. Safe to repeat.

-- On the new server, one row where a fail-back path is kept. `start` is where the old server begins to follow: it is taken once,
-- under the fence, when nothing writes to this server any more, and never again.
CREATE TABLE IF NOT EXISTS pgleap.fail_back (
    slot name PRIMARY KEY,
    start pg_lsn,
    catalogs_at timestamptz,  -- when the catalogs of this server were remembered, which a change is found by
    told text,                -- what people were told last of what makes the way useless
    closed_at timestamptz
);

-- Where the old server begins to follow; nothing if no fail-back path is kept. Until the transaction ends, nobody can decide the cutover.
CREATE OR REPLACE FUNCTION pgleap.start_of_fail_back(cutover int, until timestamptz) RETURNS pg_lsn
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    position pg_lsn;
BEGIN
    PERFORM pgleap.hold_undecided(cutover, until);
    UPDATE pgleap.fail_back w SET start = coalesce(w.start, pg_current_wal_insert_lsn()) RETURNING w.start INTO position;
    RETURN position;
END $$;

-- What is missing before OPEN: a fail-back path whose slot is not exactly at its start. A part of open.
CREATE OR REPLACE FUNCTION pgleap.unready_fail_back() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('slot %s is at %s instead of %s', w.slot, coalesce(s.confirmed_flush_lsn::text, 'no position'),
                  coalesce(w.start::text, 'the start, which is not set'))
    FROM pgleap.fail_back w LEFT JOIN pg_replication_slots s ON s.slot_name = w.slot
    WHERE w.start IS NULL OR s.confirmed_flush_lsn IS DISTINCT FROM w.start
    LIMIT 1
$$;

-- On the old server: refuse unless it is to follow, which is after OPEN, or after failing back has failed. Until the transaction
-- ends, no cutover begins or is decided.
CREATE OR REPLACE FUNCTION pgleap.hold_followed() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    current record;
BEGIN
    SELECT o.generation, o.outcome INTO current FROM pgleap.outcome o ORDER BY o.generation DESC LIMIT 1 FOR SHARE;
    IF current.outcome IS DISTINCT FROM (CASE WHEN current.generation = 1 THEN 'open' ELSE 'back' END) THEN
        RAISE EXCEPTION 'the old server does not follow: cutover % is %', current.generation, coalesce(current.outcome, 'undecided')
            USING ERRCODE = 'PGL01';
    END IF;
END $$;

-- On the old server, behind its fence: what the login that follows needs to write what it receives, and no trigger that would act
-- on it once more.
CREATE OR REPLACE FUNCTION pgleap.let_follow(follower name) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    grantable record;
BEGIN
    PERFORM pgleap.hold_followed();
    FOR grantable IN
        SELECT format('USAGE ON SCHEMA %I', n.nspname) AS what
        FROM pg_namespace n
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND pg_has_role(n.nspowner, 'USAGE')
          AND NOT has_schema_privilege(follower, n.oid, 'USAGE')
        UNION ALL
        SELECT format('SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON %I.%I', n.nspname, c.relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND pg_has_role(c.relowner, 'USAGE')
          AND (n.nspname !~ '^pg' AND n.nspname <> 'information_schema' OR n.nspname = 'pgleap' AND c.relname = 'marker')
          AND NOT (has_table_privilege(follower, c.oid, 'SELECT') AND has_table_privilege(follower, c.oid, 'INSERT')
                   AND has_table_privilege(follower, c.oid, 'UPDATE') AND has_table_privilege(follower, c.oid, 'DELETE')
                   AND has_table_privilege(follower, c.oid, 'TRUNCATE'))
        UNION ALL
        SELECT format('EXECUTE ON FUNCTION %s', p.oid::regprocedure)
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname !~ '^pg' AND n.nspname <> 'information_schema' AND p.prokind = 'f'
          AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
          AND pg_has_role(p.proowner, 'USAGE') AND NOT has_function_privilege(follower, p.oid, 'EXECUTE')
    LOOP
        EXECUTE format('GRANT %s TO %I', grantable.what, follower);
    END LOOP;
    PERFORM pgleap.set_triggers_aside();
    -- Failing back revokes it when the old server has received everything.
    IF NOT has_database_privilege(follower, current_database(), 'CONNECT') THEN
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), follower);
    END IF;
END $$;

-- Triggers that act on what is received. They have acted on the new server already, and what they wrote there arrives too.
CREATE TABLE IF NOT EXISTS pgleap.trigger_aside (
    schema_name name,
    table_name name,
    trigger_name name,
    enabled "char" NOT NULL,  -- as in pg_trigger.tgenabled
    PRIMARY KEY (schema_name, table_name, trigger_name)
);

-- On the old server, in the transaction that has it follow: switch those triggers off. A part of let_follow.
CREATE OR REPLACE FUNCTION pgleap.set_triggers_aside() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    acts record;
BEGIN
    FOR acts IN
        SELECT n.nspname, c.relname, t.tgname, t.tgenabled
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE t.tgenabled IN ('A', 'R') AND NOT t.tgisinternal AND n.nspname !~ '^pg' AND n.nspname <> 'information_schema'
          AND pg_has_role(c.relowner, 'USAGE')
    LOOP
        INSERT INTO pgleap.trigger_aside VALUES (acts.nspname, acts.relname, acts.tgname, acts.tgenabled) ON CONFLICT DO NOTHING;
        EXECUTE format('ALTER TABLE %I.%I DISABLE TRIGGER %I', acts.nspname, acts.relname, acts.tgname);
    END LOOP;
END $$;

-- On the old server, once it follows no more: the triggers as they were. Refused while it follows.
CREATE OR REPLACE FUNCTION pgleap.restore_triggers() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    aside record;
BEGIN
    -- Whoever has it follow holds this row.
    PERFORM FROM pgleap.outcome o ORDER BY o.generation DESC LIMIT 1 FOR UPDATE;
    IF EXISTS (SELECT FROM pg_subscription s WHERE s.subname ~ '^pgleap_.*_back$' AND s.subenabled
                   AND s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) THEN
        RAISE EXCEPTION 'the old server follows: its triggers stay switched off' USING ERRCODE = 'PGL01';
    END IF;
    FOR aside IN
        SELECT s.*, CASE s.enabled WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END AS how
        FROM pgleap.trigger_aside s
        JOIN pg_namespace n ON n.nspname = s.schema_name
        JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.table_name
        JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname = s.trigger_name
    LOOP
        EXECUTE format('ALTER TABLE %I.%I %s TRIGGER %I', aside.schema_name, aside.table_name, aside.how, aside.trigger_name);
    END LOOP;
    DELETE FROM pgleap.trigger_aside;
END $$;

-- Begin the next cutover, so that no call of an earlier one may decide anything. `who` may ask again and gets the same answer.
CREATE OR REPLACE FUNCTION pgleap.begin_cutover(next int, who text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    current record;
BEGIN
    SELECT o.generation, o.outcome, o.holder INTO current FROM pgleap.outcome o ORDER BY o.generation DESC LIMIT 1 FOR UPDATE;
    IF current.generation = next AND current.holder = who THEN
        RETURN;
    END IF;
    IF current.outcome IS NULL THEN
        RAISE EXCEPTION 'cutover % is under way (%)', current.generation, coalesce(current.holder, 'the upgrade')
            USING ERRCODE = 'PGL01';
    END IF;
    IF current.generation >= next THEN
        RAISE EXCEPTION 'cutover % is not the next: there was cutover %', next, current.generation USING ERRCODE = 'PGL01';
    END IF;
    IF EXISTS (SELECT FROM pgleap.fail_back w WHERE w.closed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'the fail-back path is closed' USING ERRCODE = 'PGL01';
    END IF;
    INSERT INTO pgleap.outcome (generation, holder) VALUES (next, who);
END $$;

-- What people were told last of what makes the way useless.
CREATE OR REPLACE FUNCTION pgleap.note_told(said text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE pgleap.fail_back SET told = said
$$;

-- On the new server: nobody fails back from here on. Refused while somebody does.
CREATE OR REPLACE FUNCTION pgleap.close_fail_back() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
BEGIN
    PERFORM FROM pgleap.outcome o ORDER BY o.generation DESC LIMIT 1 FOR UPDATE;
    -- Asked after the lock was had: a cutover may have begun meanwhile.
    IF EXISTS (SELECT FROM pgleap.outcome o WHERE o.outcome IS NULL OR o.generation > 1 AND o.outcome = 'open') THEN
        RAISE EXCEPTION 'a cutover back is under way, or has been made' USING ERRCODE = 'PGL01';
    END IF;
    UPDATE pgleap.fail_back w SET closed_at = coalesce(w.closed_at, clock_timestamp());
END $$;
