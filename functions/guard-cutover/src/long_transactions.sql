-- Transactions of others that have been open for longer than $1 seconds and hold an xid or a snapshot: the fence would
-- cut them off, and the copy waits for them.
-- Reads: pg_stat_activity. Changes: nothing. Safe to repeat.
SELECT format('pid %s of %s since %s s', a.pid, a.usename, extract(epoch FROM clock_timestamp() - a.xact_start)::int)
FROM pg_stat_activity a
WHERE a.xact_start < clock_timestamp() - make_interval(secs => $1)
  AND a.backend_type = 'client backend'
  AND a.pid <> pg_backend_pid()
  AND a.usename NOT LIKE 'pgleap\_%'
  AND (a.backend_xid IS NOT NULL OR a.backend_xmin IS NOT NULL)
ORDER BY a.xact_start
LIMIT 10
