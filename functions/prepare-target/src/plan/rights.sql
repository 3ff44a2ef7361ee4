-- The copy login may write what it carries: rights on each table, and on the functions that a write may call (in an index, a
-- check, a domain, a generated column, and what those call).
-- Reads: catalogs, pgleap.carried. Changes: pgleap.chore.

CREATE OR REPLACE FUNCTION pgleap.plan_rights(copy_login name) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    -- Many in a transaction: a grant keeps nobody waiting.
    INSERT INTO pgleap.chore (phase, rank, object, statements)
    SELECT 'prepare', 60, format('rights on tables, part %s', t.part),
           array_agg(format('GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON %s TO %I', t.name, copy_login) ORDER BY t.name)
    FROM (SELECT name, (row_number() OVER (ORDER BY name) - 1) / 500 + 1 AS part
          FROM (SELECT name FROM pgleap.carried UNION ALL SELECT 'pgleap.marker') AS every) AS t
    GROUP BY t.part;

    INSERT INTO pgleap.chore (phase, rank, object, statements)
    SELECT 'prepare', 60, 'rights on schema ' || quote_ident(n.nspname),
           array_agg(format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, copy_login))
    FROM pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND pg_has_role(n.nspowner, 'USAGE')
    GROUP BY n.nspname;

    INSERT INTO pgleap.chore (phase, rank, object, statements)
    SELECT 'prepare', 60, 'rights on functions of schema ' || quote_ident(n.nspname),
           array_agg(format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure, copy_login))
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname !~ '^(pg_|pgleap$)' AND n.nspname <> 'information_schema' AND p.prokind = 'f'
      AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
      AND pg_has_role(p.proowner, 'USAGE') AND NOT has_function_privilege(copy_login, p.oid, 'EXECUTE')
    GROUP BY n.nspname;
$$;
