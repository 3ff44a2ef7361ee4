-- Extensions that act by themselves. Reads: the catalogs. Changes: nothing.
SELECT x.extname::text AS what,
       CASE x.extname WHEN 'pg_partman' THEN 'creates and drops partitions, which stops the run'
                      ELSE 'runs scheduled jobs; a job that changes the schema stops the run' END AS why
FROM pg_extension x WHERE x.extname IN ('pg_cron', 'pg_partman', 'pgagent', 'pg_timetable')
