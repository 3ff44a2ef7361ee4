-- Helpers of the catalog queries, gone with the session.

-- An object that a user made, outside the schemas of the system, and not as part of an extension.
CREATE FUNCTION pg_temp.is_users(object oid, class text, schema text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT object >= 16384 AND schema !~ '^(pg_|information_schema$)'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = ('pg_catalog.' || class)::regclass AND d.objid = object AND d.deptype = 'e')
$$;

-- A privilege list as sorted text: one entry for each grantee, privilege and grantor; `*` is the grant option.
CREATE FUNCTION pg_temp.grants(acl aclitem[]) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT coalesce(pg_catalog.string_agg(entry, ', ' ORDER BY entry), '') FROM (
    SELECT pg_catalog.format('%s=%s%s by %s', CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::pg_catalog.regrole::text END,
                             privilege_type, CASE WHEN is_grantable THEN '*' ELSE '' END, grantor::pg_catalog.regrole) AS entry
    FROM pg_catalog.aclexplode(acl)) AS entries
$$;
