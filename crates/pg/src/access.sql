-- Who may connect: taken away, given back, proven.
--
-- Installed by the owner's login on both sides, called by the run's working login: every function runs with the
-- owner's rights, so the way back needs nobody but the working login to get in. Safe to repeat.
-- Reads: pg_database, pg_stat_activity, pg_locks. Changes: CONNECT on databases of the owner, sessions of others.

CREATE TABLE IF NOT EXISTS pgleap.saved_access (
    database name PRIMARY KEY,
    acl text[] NOT NULL,  -- as text: pg_upgrade refuses columns of type aclitem
    saved_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One row decides between OPEN and the way back. On the target: who won. On the source: 'open' means that OPEN was sent.
CREATE TABLE IF NOT EXISTS pgleap.outcome (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    outcome text NOT NULL CHECK (outcome IN ('open', 'back')),
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Take CONNECT from everybody but `keep` and superusers, in every database that the owner could undo it from.
CREATE OR REPLACE FUNCTION pgleap.shut(keep name[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
END $$;

-- Databases of the owner into which somebody else may still connect: "orders: PUBLIC".
CREATE OR REPLACE FUNCTION pgleap.open_doors(keep name[]) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT d.datname || ': ' || coalesce(r.rolname, 'PUBLIC')
    FROM pg_database d
    CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) e
    LEFT JOIN pg_roles r ON r.oid = e.grantee
    WHERE d.datallowconn AND pg_has_role(d.datdba, 'USAGE') AND e.privilege_type = 'CONNECT'
      AND (e.grantee = 0 OR (r.rolname <> ALL (keep) AND NOT r.rolsuper))
$$;

-- End the sessions of others, whatever their backend type, in every database.
CREATE OR REPLACE FUNCTION pgleap.end_others(keep name[]) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(pg_terminate_backend(a.pid))
    FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
    WHERE a.pid <> pg_backend_pid() AND a.usename <> ALL (keep) AND NOT r.rolsuper
$$;

-- How many could still write. A backend passes the CONNECT check before it shows in pg_stat_activity, but from before
-- the check until it shows it holds a lock on its database's row: so the locks are read first, then the sessions.
-- Call it alone in a transaction: pg_stat_activity is read once per transaction.
CREATE OR REPLACE FUNCTION pgleap.others(keep name[], OUT starting bigint, OUT sessions bigint, OUT prepared bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT count(*) INTO starting FROM pg_locks l
    WHERE l.locktype = 'object' AND l.classid = 'pg_database'::regclass AND l.mode = 'RowExclusiveLock' AND l.granted
      AND l.pid <> pg_backend_pid();
    SELECT count(*) INTO sessions FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
    WHERE a.pid <> pg_backend_pid() AND a.usename <> ALL (keep) AND NOT r.rolsuper;
    SELECT count(*) INTO prepared FROM pg_prepared_xacts;
END $$;

-- Give CONNECT back as it was saved, but not to `except`.
CREATE OR REPLACE FUNCTION pgleap.admit(except_roles name[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    door record;
BEGIN
    FOR door IN
        SELECT s.database, e.grantee, e.is_grantable, r.rolname
        FROM pgleap.saved_access s
        JOIN pg_database d ON d.datname = s.database
        CROSS JOIN LATERAL aclexplode(s.acl::aclitem[]) e
        LEFT JOIN pg_roles r ON r.oid = e.grantee
        WHERE e.privilege_type = 'CONNECT' AND (e.grantee = 0 OR r.rolname <> ALL (except_roles))
    LOOP
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %s%s', door.database,
                       CASE WHEN door.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(door.rolname) END,
                       CASE WHEN door.is_grantable AND door.grantee <> 0 THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
    DELETE FROM pgleap.saved_access;
END $$;

-- Claim the one row; answers who holds it. Waits for a claim in flight.
CREATE OR REPLACE FUNCTION pgleap.claim(wanted text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    holder text;
BEGIN
    INSERT INTO pgleap.outcome (outcome) VALUES (wanted) ON CONFLICT DO NOTHING;
    SELECT o.outcome INTO holder FROM pgleap.outcome o;
    RETURN holder;
END $$;

-- OPEN: the claim and the way in, in one transaction. Nothing is given back if the way back was claimed first.
CREATE OR REPLACE FUNCTION pgleap.open(except_roles name[]) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    holder text := pgleap.claim('open');
BEGIN
    IF holder = 'open' THEN
        PERFORM pgleap.admit(except_roles);
    END IF;
    RETURN holder;
END $$;

-- After the run, on the source: the owner may look at what was left, read-only; nobody else gets in.
CREATE OR REPLACE FUNCTION pgleap.retire() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    db record;
BEGIN
    FOR db IN
        SELECT d.datname, pg_get_userbyid(d.datdba) AS owner
        FROM pgleap.saved_access s JOIN pg_database d ON d.datname = s.database
    LOOP
        EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', db.datname);
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', db.datname, db.owner);
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', db.datname, current_user);
    END LOOP;
END $$;
