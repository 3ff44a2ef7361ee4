-- Long transactions. Reads: pg_stat_activity (of other roles only with pg_monitor or rds_superuser). Changes: nothing.
SELECT format('%s (pid %s, %s)', a.usename, a.pid, a.application_name) AS what,
       date_trunc('second', clock_timestamp() - a.xact_start)::text AS why
FROM pg_stat_activity a
WHERE a.xact_start < clock_timestamp() - interval '10 minutes' AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
