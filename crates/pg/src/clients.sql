-- The sessions of applications in this database, and how they come and go.
-- $1: milliseconds since the epoch; sessions that began before count as old. NULL: those that are older than five minutes.
-- Reads: pg_stat_activity, pg_stat_database (its column sessions exists from 14 on). Changes: nothing. Safe to repeat.
SELECT count(*) FILTER (WHERE is_client),
       count(*) FILTER (WHERE is_client AND backend_start < since),
       max(opened),
       (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
       pg_postmaster_start_time() > since
FROM (SELECT coalesce(to_timestamp($1::bigint / 1000.0), clock_timestamp() - interval '5 minutes') AS since,
             (SELECT (to_jsonb(d) ->> 'sessions')::bigint FROM pg_stat_database d WHERE d.datname = current_database()) AS opened
     ) AS asked
LEFT JOIN (SELECT a.backend_start,
                  a.backend_type = 'client backend' AND a.usename NOT LIKE 'pgleap\_%' AND NOT coalesce(r.rolsuper, false) AS is_client
           FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
           WHERE a.datname = current_database()) AS seen ON true
GROUP BY since
