-- Sessions of the login or of the database's owner that are not the run's. Reads: pg_stat_activity. Changes: nothing.
SELECT quote_ident(a.usename) AS what,
       format('%s session(s), application %s, from %s', count(*), coalesce(nullif(a.application_name, ''), 'without a name'),
              coalesce(host(a.client_addr), 'the server')) AS why
FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.application_name NOT LIKE 'pgleap/%'
  AND a.usename IN (current_user, (SELECT pg_get_userbyid(d.datdba) FROM pg_database d WHERE d.datname = current_database()))
GROUP BY a.usename, a.application_name, a.client_addr
