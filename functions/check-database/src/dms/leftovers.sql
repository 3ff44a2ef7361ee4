-- Artefacts of DMS. Reads: the catalogs. Changes: nothing.
SELECT r.name AS what, 'table' AS why FROM relations r WHERE r.relname LIKE 'awsdms\_%' AND r.relkind = 'r'
UNION ALL
SELECT quote_ident(e.evtname), 'event trigger' FROM pg_event_trigger e WHERE e.evtname = 'awsdms_intercept_ddl'
