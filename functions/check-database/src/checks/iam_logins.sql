-- Logins that are members of rds_iam, themselves or by one group. Reads: the catalogs. Changes: nothing.
SELECT quote_ident(l.rolname) AS what, '' AS why
FROM pg_roles l JOIN pg_auth_members m ON m.member = l.oid JOIN pg_roles g ON g.oid = m.roleid
WHERE g.rolname = 'rds_iam' AND l.rolcanlogin
