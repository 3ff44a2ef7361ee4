-- What a run makes in the source's server: names. How roles, databases, tables are is the catalogs' comparison.
-- Reads: catalogs. Changes: nothing.
SELECT 'replication slot', slot_name::text FROM pg_catalog.pg_replication_slots
UNION ALL SELECT 'publication', pubname::text FROM pg_catalog.pg_publication
UNION ALL SELECT 'role', rolname::text FROM pg_catalog.pg_roles
UNION ALL SELECT 'schema', nspname::text FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_(temp|toast)'
UNION ALL SELECT 'event trigger', evtname::text FROM pg_catalog.pg_event_trigger
UNION ALL SELECT 'control table', c.oid::regclass::text FROM pg_catalog.pg_class c WHERE c.relname ~ '^awsdms_'
