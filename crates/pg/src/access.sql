-- Who may connect: revoked, given back, proven. And the outcome of each cutover, which decides what may still be done.
--
-- Installed by the owner's login on both sides, called by the run's working login: every function runs with the
-- owner's rights, so a rollback needs nobody but the working login to get in. Safe to repeat.
-- Reads: pg_database, pg_roles, pg_stat_activity, pg_locks. Changes: CONNECT on databases of the owner, sessions of others.
--
-- Order of locks: databases' rows by name, then the outcome. Whoever holds the outcome waits for no database's row, so a
-- stranger's open GRANT delays a call, by a second at most, and never the decision.

CREATE TABLE IF NOT EXISTS pgleap.saved_access (
    database name PRIMARY KEY,
    acl text[] NOT NULL,  -- as text: pg_upgrade refuses columns of type aclitem
    saved_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- A row for each cutover: generation 1 forward, 2 back again later. The highest generation is the current one.
-- On the target the outcome says who won. On the source 'open' says that OPEN was sent.
CREATE TABLE IF NOT EXISTS pgleap.outcome (
    generation int PRIMARY KEY CHECK (generation > 0),
    outcome text CHECK (outcome IN ('open', 'back')),  -- null: undecided
    decided_at timestamptz,
    holder text  -- the execution that began it; null for the first
);
INSERT INTO pgleap.outcome (generation) VALUES (1) ON CONFLICT DO NOTHING;

-- Refuse unless this cutover is the current one, undecided and in time; until the transaction ends nobody can decide it.
CREATE OR REPLACE FUNCTION pgleap.hold_undecided(cutover int, until timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    current record;
BEGIN
    SELECT o.generation, o.outcome INTO current FROM pgleap.outcome o ORDER BY o.generation DESC LIMIT 1 FOR SHARE;
    IF current.generation IS DISTINCT FROM cutover OR current.outcome IS NOT NULL THEN
        RAISE EXCEPTION 'cutover % is over: generation % is %', cutover, current.generation, coalesce(current.outcome, 'undecided')
            USING ERRCODE = 'PGL01';
    END IF;
    IF clock_timestamp() >= until THEN
        RAISE EXCEPTION 'the deadline of the cutover has passed' USING ERRCODE = 'PGL02';
    END IF;
END $$;

-- Revoke CONNECT from everybody but `keep` and superusers, in every database that the owner could undo it from.
CREATE OR REPLACE FUNCTION pgleap.shut(cutover int, until timestamptz, keep name[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    db record;
    door record;
BEGIN
    FOR db IN
        SELECT d.datname, coalesce(d.datacl, acldefault('d', d.datdba)) AS acl
        FROM pg_database d
        WHERE d.datallowconn AND pg_has_role(d.datdba, 'USAGE')
        ORDER BY d.datname
    LOOP
        INSERT INTO pgleap.saved_access (database, acl) VALUES (db.datname, db.acl::text[]) ON CONFLICT DO NOTHING;
        FOR door IN
            SELECT DISTINCT e.grantee, r.rolname
            FROM aclexplode(db.acl) e LEFT JOIN pg_roles r ON r.oid = e.grantee
            WHERE e.privilege_type = 'CONNECT'
              AND (e.grantee = 0 OR (r.rolname <> ALL (keep) AND NOT r.rolsuper))
        LOOP
            EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM %s CASCADE', db.datname,
                           CASE WHEN door.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(door.rolname) END);
        END LOOP;
    END LOOP;
    -- Last, by the order of locks: where it refuses, everything above is undone.
    PERFORM pgleap.hold_undecided(cutover, until);
END $$;

-- Who else may connect to a database of the owner: "orders: PUBLIC". By what the access lists say, and by what is in
-- effect: a membership gives a role the CONNECT of another one, a kept login's too.
CREATE OR REPLACE FUNCTION pgleap.open_doors(keep name[]) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT d.datname || ': ' || coalesce(r.rolname, 'PUBLIC')
    FROM pg_database d
    CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) e
    LEFT JOIN pg_roles r ON r.oid = e.grantee
    WHERE d.datallowconn AND pg_has_role(d.datdba, 'USAGE') AND e.privilege_type = 'CONNECT'
      AND (e.grantee = 0 OR (r.rolname <> ALL (keep) AND NOT r.rolsuper))
    UNION
    SELECT d.datname || ': ' || r.rolname
    FROM pg_database d, pg_roles r
    WHERE d.datallowconn AND pg_has_role(d.datdba, 'USAGE')
      AND r.rolcanlogin AND NOT r.rolsuper AND r.rolname <> ALL (keep) AND has_database_privilege(r.oid, d.oid, 'CONNECT')
$$;

-- Logins that are members of a kept login, and so would keep its CONNECT behind the fence.
CREATE OR REPLACE FUNCTION pgleap.members_of(keep name[]) RETURNS SETOF name
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT r.rolname FROM pg_roles r, pg_roles k
    WHERE k.rolname = ANY (keep) AND r.rolcanlogin AND NOT r.rolsuper AND r.rolname <> ALL (keep)
      AND pg_has_role(r.oid, k.oid, 'USAGE')
$$;

-- End the sessions of others, whatever their backend type, in every database. A session without a database cannot write:
-- it is the sender of a physical replica, which is left alone. A session whose role was dropped counts as anybody's.
CREATE OR REPLACE FUNCTION pgleap.end_others(keep name[]) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(pg_terminate_backend(a.pid))
    FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
    WHERE a.pid <> pg_backend_pid() AND a.datid IS NOT NULL AND a.usesysid <> 0
      AND coalesce(r.rolname <> ALL (keep), true) AND NOT coalesce(r.rolsuper, false)
$$;

-- Who could still write. A backend passes the CONNECT check before it shows in pg_stat_activity, but from before
-- the check until it shows it holds a lock on its database's row: so the locks are read first, then the sessions.
-- Background workers of a superuser count while they hold a transaction or a snapshot: the apply worker of an extension
-- writes as one, whoever owns it. Call it alone in a transaction: pg_stat_activity is read once per transaction.
CREATE OR REPLACE FUNCTION pgleap.others(keep name[], OUT starting int[], OUT sessions bigint, OUT workers bigint, OUT prepared bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT coalesce(array_agg(DISTINCT l.pid), '{}') INTO starting FROM pg_locks l
    WHERE l.locktype = 'object' AND l.classid = 'pg_database'::regclass AND l.mode = 'RowExclusiveLock' AND l.granted
      AND l.pid <> pg_backend_pid();
    SELECT count(*) FILTER (WHERE coalesce(r.rolname <> ALL (keep), true) AND NOT coalesce(r.rolsuper, false)),
           count(*) FILTER (WHERE r.rolsuper AND (a.backend_xid IS NOT NULL OR a.backend_xmin IS NOT NULL)
                              AND a.backend_type NOT IN ('client backend', 'parallel worker', 'walsender', 'autovacuum worker', 'autovacuum launcher'))
    INTO sessions, workers
    FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
    WHERE a.pid <> pg_backend_pid() AND a.datid IS NOT NULL AND a.usesysid <> 0;
    SELECT count(*) INTO prepared FROM pg_prepared_xacts;
END $$;

-- A saved access list, item by item. A grantee that was dropped since is left out; where only the grantor was, the item
-- counts as the owner's.
CREATE OR REPLACE FUNCTION pgleap.saved_doors(saved text[]) RETURNS TABLE (grantee oid, privilege_type text, is_grantable boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item text;
    wording text;
BEGIN
    FOREACH item IN ARRAY coalesce(saved, '{}') LOOP
        FOREACH wording IN ARRAY ARRAY[item, regexp_replace(item, '/("([^"]|"")*"|[^/"]*)$', '/' || quote_ident(current_user))] LOOP
            BEGIN
                RETURN QUERY SELECT e.grantee, e.privilege_type, e.is_grantable FROM aclexplode(ARRAY[wording::aclitem]) e;
                EXIT;
            EXCEPTION WHEN undefined_object THEN NULL;
            END;
        END LOOP;
    END LOOP;
END $$;

-- CONNECT as it was saved, but not for `except_roles`. A part of admit and open, for nobody else.
CREATE OR REPLACE FUNCTION pgleap.grant_saved(except_roles name[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    door record;
BEGIN
    FOR door IN
        SELECT s.database, e.grantee, e.is_grantable, r.rolname
        FROM pgleap.saved_access s
        JOIN pg_database d ON d.datname = s.database
        CROSS JOIN LATERAL pgleap.saved_doors(s.acl) e
        LEFT JOIN pg_roles r ON r.oid = e.grantee
        WHERE e.privilege_type = 'CONNECT' AND (e.grantee = 0 OR r.rolname <> ALL (except_roles))
        ORDER BY s.database
    LOOP
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %s%s', door.database,
                       CASE WHEN door.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(door.rolname) END,
                       CASE WHEN door.is_grantable AND door.grantee <> 0 THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
    DELETE FROM pgleap.saved_access;
END $$;

-- Give CONNECT back as it was saved, but not to `except_roles`: only for the current cutover, once it is decided.
CREATE OR REPLACE FUNCTION pgleap.admit(cutover int, except_roles name[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    current record;
BEGIN
    PERFORM pgleap.grant_saved(except_roles);
    SELECT o.generation, o.outcome INTO current FROM pgleap.outcome o ORDER BY o.generation DESC LIMIT 1 FOR SHARE;
    IF current.generation IS DISTINCT FROM cutover OR current.outcome IS NULL THEN
        RAISE EXCEPTION 'cutover % does not let anybody in: generation % is %', cutover, current.generation,
            coalesce(current.outcome, 'undecided') USING ERRCODE = 'PGL01';
    END IF;
END $$;

-- Claim the outcome of a cutover; answers who holds it. Waits for a claim in flight, for a second at most.
CREATE OR REPLACE FUNCTION pgleap.claim(cutover int, wanted text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    holder text;
BEGIN
    UPDATE pgleap.outcome o SET outcome = wanted, decided_at = clock_timestamp()
    WHERE o.generation = cutover AND o.outcome IS NULL
      AND NOT EXISTS (SELECT FROM pgleap.outcome later WHERE later.generation > cutover);
    SELECT o.outcome INTO holder FROM pgleap.outcome o WHERE o.generation = cutover;
    IF holder IS NULL THEN
        RAISE EXCEPTION 'cutover % is over: there is a later one, or it never was', cutover USING ERRCODE = 'PGL01';
    END IF;
    RETURN holder;
END $$;

-- OPEN: the way in and the claim, in one transaction, undone as a whole where the rollback was first or the deadline has
-- passed. `keep` are the run's logins. An open target is answered as open and left as it is.
CREATE OR REPLACE FUNCTION pgleap.open(cutover int, until timestamptz, keep name[], except_roles name[]) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    doors text;
    unready text;
    holder text;
BEGIN
    IF EXISTS (SELECT FROM pgleap.outcome o WHERE o.generation = cutover AND o.outcome = 'open') THEN
        RETURN 'open';
    END IF;
    IF NOT EXISTS (SELECT FROM pgleap.marker m WHERE m.kind = 'drained-' || cutover) THEN
        RAISE EXCEPTION 'cutover % is not drained on this side', cutover USING ERRCODE = 'PGL03';
    END IF;
    SELECT pgleap.unready_fail_back() INTO unready;
    IF unready IS NOT NULL THEN
        RAISE EXCEPTION 'the fail-back path is not ready: %', unready USING ERRCODE = 'PGL03';
    END IF;
    SELECT string_agg(d, ', ') INTO doors FROM (SELECT pgleap.open_doors(keep) AS d LIMIT 10) few;
    IF doors IS NOT NULL THEN
        RAISE EXCEPTION 'others may connect already: %', doors USING ERRCODE = 'PGL03';
    END IF;
    PERFORM pgleap.grant_saved(except_roles);
    holder := pgleap.claim(cutover, 'open');
    IF holder <> 'open' THEN
        RAISE EXCEPTION 'cutover % is over: it is %', cutover, holder USING ERRCODE = 'PGL01';
    END IF;
    IF clock_timestamp() >= until THEN
        RAISE EXCEPTION 'the deadline of the cutover has passed' USING ERRCODE = 'PGL02';
    END IF;
    RETURN holder;
END $$;

-- After the run, on the source: the owner may look at what was left, read-only; nobody else gets in.
CREATE OR REPLACE FUNCTION pgleap.retire(cutover int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    db record;
BEGIN
    FOR db IN
        SELECT d.datname, pg_get_userbyid(d.datdba) AS owner
        FROM pgleap.saved_access s JOIN pg_database d ON d.datname = s.database
        ORDER BY d.datname
    LOOP
        EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', db.datname);
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', db.datname, db.owner);
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', db.datname, current_user);
    END LOOP;
    IF NOT EXISTS (SELECT FROM pgleap.outcome o WHERE o.generation = cutover AND o.outcome = 'open') THEN
        RAISE EXCEPTION 'OPEN of cutover % was never sent: the source is not retired', cutover USING ERRCODE = 'PGL01';
    END IF;
END $$;
