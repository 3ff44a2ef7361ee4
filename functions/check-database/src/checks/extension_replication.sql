-- Extensions that write to this database by workers of their own. Reads: the catalogs. Changes: nothing.
-- By the size of their table of subscriptions or nodes: it is read without a right on it, and a table that was emptied
-- and not vacuumed is worth a look too.
SELECT format('%I.%I', n.nspname, c.relname) AS what,
       CASE n.nspname WHEN 'pgactive' THEN 'the database is a node of an active-active group'
                      WHEN 'bdr' THEN 'the database is a node of an active-active group'
                      ELSE 'the database subscribes to another database with the extension ' || n.nspname END AS why
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND pg_relation_size(c.oid) > 0
  AND (n.nspname, c.relname) IN (('pglogical', 'subscription'), ('spock', 'subscription'),
                                 ('pgactive', 'pgactive_nodes'), ('bdr', 'bdr_nodes'))
