-- Tables to carry of which DMS's login would see a part: it is a member of the role {reader} where that exists.
-- Reads: the catalogs. Changes: nothing.
WITH reader AS (
    SELECT r.oid, current_setting('server_version_num')::int < 160000 OR pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION') AS may_be_granted
    FROM pg_roles r WHERE r.rolname = '{reader}'
), secured AS (
    SELECT c.name,
           EXISTS (SELECT FROM pg_policy p JOIN reader r ON r.oid = ANY (p.polroles) AND r.may_be_granted
                   WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd IN ('r', '*') AND pg_get_expr(p.polqual, p.polrelid) = 'true') AS is_shown,
           (SELECT string_agg(quote_ident(p.polname), ', ') FROM pg_policy p
            WHERE p.polrelid = c.oid AND NOT p.polpermissive AND p.polcmd IN ('r', '*')
              AND (0 = ANY (p.polroles) OR (SELECT r.oid FROM reader r) = ANY (p.polroles))) AS restricted_by
    FROM carried c WHERE c.relrowsecurity
)
SELECT s.name AS what, '' AS why,
       CASE WHEN s.restricted_by IS NOT NULL
            THEN format('use copy.engine native (or auto), to which policies do not apply: a restrictive policy hides rows from everybody it applies to (%s)', s.restricted_by)
            WHEN (SELECT NOT r.may_be_granted FROM reader r)
            THEN 'use copy.engine native (or auto); or, as a role with ADMIN OPTION on it, GRANT {reader} TO ' || quote_ident(current_user) || ' WITH ADMIN OPTION'
            ELSE format('run %sCREATE POLICY {reader} ON %s FOR SELECT TO {reader} USING (true); the run makes the DMS login a member of that role; '
                        'or use copy.engine native (or auto)',
                        CASE WHEN NOT EXISTS (SELECT FROM reader) AND row_number() OVER (ORDER BY s.name) = 1 THEN 'CREATE ROLE {reader} NOLOGIN; ' ELSE '' END,
                        s.name) END AS remedy
FROM secured s WHERE NOT s.is_shown OR s.restricted_by IS NOT NULL
