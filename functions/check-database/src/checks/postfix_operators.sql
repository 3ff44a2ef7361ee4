-- Postfix operators of users. Reads: the catalogs. Changes: nothing.
SELECT format('%I.%s (%s)', n.nspname, o.oprname, format_type(o.oprleft, NULL)) AS what, o.oprcode::regprocedure::text AS why
FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
WHERE o.oprright = 0 AND o.oid >= 16384
