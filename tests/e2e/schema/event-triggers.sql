-- What RDS lets its master user do and PostgreSQL only a superuser: create event triggers, and own them.
-- Changes: schema rehearsal_rds, which is there while a dump is restored. Its function creates the dump's event triggers.

CREATE SCHEMA rehearsal_rds;
GRANT USAGE ON SCHEMA rehearsal_rds TO rds_superuser;

-- Runs with the rights of rdsadmin and with the search path of the caller, to whom the trigger belongs afterwards.
CREATE FUNCTION rehearsal_rds.event_trigger(statement text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    given text[] := regexp_match(statement, '^ALTER\s+EVENT\s+TRIGGER\s+(\S+)\s+OWNER\s+TO\s+(.+?)\s*$', 'i');
BEGIN
    IF NOT pg_has_role(session_user, 'rds_superuser', 'MEMBER') THEN
        RAISE insufficient_privilege USING MESSAGE = 'event triggers need a member of rds_superuser';
    ELSIF given IS NULL THEN
        EXECUTE statement;
        UPDATE pg_event_trigger SET evtowner = session_user::regrole WHERE evtowner = current_user::regrole;
    ELSIF NOT pg_has_role(given[2]::regrole, 'rds_superuser', 'MEMBER') THEN
        RAISE insufficient_privilege USING MESSAGE = 'the owner of an event trigger must be a member of rds_superuser';
    ELSE
        UPDATE pg_event_trigger SET evtowner = given[2]::regrole WHERE quote_ident(evtname) = given[1];
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION rehearsal_rds.event_trigger FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rehearsal_rds.event_trigger TO rds_superuser;
