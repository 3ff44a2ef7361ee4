-- One row for each thing in the database that replication does not carry: what it is, its name, a hash of its definition.
--
-- Reads: the catalogs, pgleap.catalog_skipped, pgleap.roles_ignored. Changes: nothing. Safe to repeat.
-- Hashes the catalogs' own columns instead of deparsed statements: fast, and compared with the same database only.
-- Under the fence a database's grants are those that the fence saved.
-- Left out on purpose: statistics and counters; object ids that a REINDEX or a rewrite changes; replica identity and what
-- is granted to the run's own logins, which the run itself changes; roles that the operator has the run ignore, and what is
-- granted to them; NOT NULL constraints as rows of pg_constraint (18),
-- which pg_attribute says as well; the indexes that a REINDEX CONCURRENTLY builds beside the ones it replaces; passwords, which
-- nobody but a superuser sees. `{attcompression}` stands for a column that 13 does not have.
WITH apart AS (
    SELECT coalesce(array_agg(r.oid), '{}') AS roles FROM pg_catalog.pg_roles r
    WHERE r.rolname LIKE 'pgleap\_%' OR EXISTS (SELECT FROM pgleap.roles_ignored i WHERE r.rolname LIKE i.pattern)
), spaces AS (
    SELECT n.oid, n.nspname, n.nspowner, n.nspacl
    FROM pg_catalog.pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgleap', 'pgleap_copy')
      AND NOT EXISTS (SELECT FROM pgleap.catalog_skipped s WHERE s.schema = n.nspname)
), members AS (
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'
), relations AS (
    SELECT c.*, s.nspname, format('%I.%I', s.nspname, c.relname) AS name
    FROM pg_catalog.pg_class c JOIN spaces s ON s.oid = c.relnamespace
    WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_class'::regclass AND m.objid = c.oid)
), columns AS (
    SELECT a.attrelid, string_agg(concat_ws('|',
        a.attnum, a.attname, a.atttypid, a.atttypmod, a.attndims, a.attnotnull, a.attidentity, a.attgenerated,
        a.attcollation, a.attstorage, {attcompression}, coalesce(a.attstattarget::int, -1), a.attislocal, a.attinhcount, a.attoptions,
        CASE WHEN a.atthasdef THEN (SELECT d.adbin::text FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END,
        CASE WHEN a.attacl IS NOT NULL THEN (
            SELECT string_agg(concat_ws(':', e.grantee, e.privilege_type, e.is_grantable), ',' ORDER BY e.grantee, e.privilege_type)
            FROM aclexplode(a.attacl) e, apart WHERE e.grantee <> ALL (apart.roles)) END
        ), E'\n' ORDER BY a.attnum) AS text
    FROM pg_catalog.pg_attribute a JOIN relations r ON r.oid = a.attrelid
    WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND a.attnum > 0 AND NOT a.attisdropped
    GROUP BY a.attrelid
)
SELECT CASE r.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
                      WHEN 'c' THEN 'type' ELSE 'table' END AS kind,
       r.name AS object,
       md5(concat_ws('|', r.relkind, r.relpersistence, r.relowner, r.reloptions, r.relam, r.reltablespace,
           r.relrowsecurity, r.relforcerowsecurity, r.relispartition, r.relpartbound::text,
           CASE WHEN r.relkind = 'm' THEN r.relispopulated END,
           (SELECT o.reloptions FROM pg_catalog.pg_class o WHERE o.oid = r.reltoastrelid),
           (SELECT string_agg(concat_ws(':', e.grantee, e.privilege_type, e.is_grantable), ',' ORDER BY e.grantee, e.privilege_type)
            FROM pg_catalog.pg_type y CROSS JOIN aclexplode(y.typacl) e CROSS JOIN apart
            WHERE y.oid = r.reltype AND y.typacl IS NOT NULL AND e.grantee <> ALL (apart.roles)),
           (SELECT string_agg(concat(i.inhseqno, ':', i.inhparent), ',' ORDER BY i.inhseqno)
            FROM pg_catalog.pg_inherits i WHERE i.inhrelid = r.oid),
           (SELECT concat_ws(':', p.partstrat, p.partattrs, p.partclass, p.partcollation, p.partexprs::text)
            FROM pg_catalog.pg_partitioned_table p WHERE p.partrelid = r.oid),
           (SELECT string_agg(concat_ws(':', e.grantee, e.privilege_type, e.is_grantable), ',' ORDER BY e.grantee, e.privilege_type)
            FROM aclexplode(coalesce(r.relacl, acldefault('r', r.relowner))) e, apart WHERE e.grantee <> ALL (apart.roles)),
           c.text)) AS fingerprint
FROM relations r LEFT JOIN columns c ON c.attrelid = r.oid
WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
UNION ALL
SELECT 'index', r.name, md5(concat_ws('|', t.name, r.relkind, r.relam, r.reloptions, r.reltablespace,
           i.indisunique, i.indisprimary, i.indisexclusion, i.indimmediate, i.indisclustered, i.indisvalid, i.indisready,
           i.indkey, i.indcollation, i.indclass, i.indoption, i.indexprs::text, i.indpred::text))
FROM relations r JOIN pg_catalog.pg_index i ON i.indexrelid = r.oid JOIN relations t ON t.oid = i.indrelid
WHERE NOT (r.relname ~ '_cc(new|old)[0-9]*$' AND NOT i.indisvalid)
UNION ALL
SELECT 'sequence', r.name, md5(concat_ws('|', r.relpersistence, r.relowner, q.seqtypid, q.seqstart, q.seqincrement,
           q.seqmax, q.seqmin, q.seqcache, q.seqcycle,
           (SELECT string_agg(concat_ws(':', e.grantee, e.privilege_type, e.is_grantable), ',' ORDER BY e.grantee, e.privilege_type)
            FROM aclexplode(coalesce(r.relacl, acldefault('s', r.relowner))) e, apart WHERE e.grantee <> ALL (apart.roles))))
FROM relations r JOIN pg_catalog.pg_sequence q ON q.seqrelid = r.oid
UNION ALL
SELECT 'constraint', coalesce(r.name, format('%I.%I', s.nspname, t.typname)) || '.' || quote_ident(k.conname),
       md5(concat_ws('|', k.contype, k.condeferrable, k.condeferred, k.convalidated, k.confrelid, k.confupdtype,
           k.confdeltype, k.confmatchtype, k.conislocal, k.coninhcount, k.connoinherit, k.conkey, k.confkey,
           k.conexclop, k.conbin::text))
FROM pg_catalog.pg_constraint k
JOIN spaces s ON s.oid = k.connamespace
LEFT JOIN relations r ON r.oid = k.conrelid
LEFT JOIN pg_catalog.pg_type t ON t.oid = k.contypid
WHERE k.contype <> 'n' AND (r.oid IS NOT NULL OR t.oid IS NOT NULL)
UNION ALL
SELECT 'trigger', r.name || '.' || quote_ident(t.tgname),
       md5(concat_ws('|', t.tgfoid, t.tgtype, t.tgenabled, t.tgconstrrelid, t.tgdeferrable, t.tginitdeferred,
           t.tgattr, encode(t.tgargs, 'hex'), t.tgqual::text, t.tgoldtable, t.tgnewtable))
FROM pg_catalog.pg_trigger t JOIN relations r ON r.oid = t.tgrelid
WHERE NOT t.tgisinternal
UNION ALL
SELECT 'rule', r.name || '.' || quote_ident(w.rulename),
       md5(concat_ws('|', w.ev_type, w.ev_enabled, w.is_instead, w.ev_qual::text, w.ev_action::text))
FROM pg_catalog.pg_rewrite w JOIN relations r ON r.oid = w.ev_class
UNION ALL
SELECT 'policy', r.name || '.' || quote_ident(p.polname),
       md5(concat_ws('|', p.polcmd, p.polpermissive, p.polroles, p.polqual::text, p.polwithcheck::text))
FROM pg_catalog.pg_policy p JOIN relations r ON r.oid = p.polrelid
UNION ALL
SELECT 'statistics', format('%I.%I', s.nspname, x.stxname), md5((to_jsonb(x) - 'oid')::text)
FROM pg_catalog.pg_statistic_ext x JOIN spaces s ON s.oid = x.stxnamespace
UNION ALL
SELECT 'function', p.oid::regprocedure::text,
       md5((to_jsonb(p) - '{oid,proacl}'::text[])::text || coalesce((
            SELECT string_agg(concat_ws(':', e.grantee, e.privilege_type, e.is_grantable), ',' ORDER BY e.grantee, e.privilege_type)
            FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) e, apart WHERE e.grantee <> ALL (apart.roles)), ''))
FROM pg_catalog.pg_proc p JOIN spaces s ON s.oid = p.pronamespace
WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_proc'::regclass AND m.objid = p.oid)
UNION ALL
SELECT 'type', format('%I.%I', s.nspname, t.typname),
       md5(concat_ws('|', t.typtype, t.typowner, t.typbasetype, t.typtypmod, t.typnotnull, t.typndims, t.typcollation,
           t.typdefaultbin::text, t.typdefault,
           (SELECT string_agg(concat(e.enumsortorder, ':', e.enumlabel), ',' ORDER BY e.enumsortorder)
            FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid),
           (SELECT concat_ws(':', g.rngsubtype, g.rngcollation, g.rngsubopc) FROM pg_catalog.pg_range g WHERE g.rngtypid = t.oid),
           (SELECT string_agg(concat_ws(':', e.grantee, e.privilege_type, e.is_grantable), ',' ORDER BY e.grantee, e.privilege_type)
            FROM aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) e, apart WHERE e.grantee <> ALL (apart.roles))))
FROM pg_catalog.pg_type t JOIN spaces s ON s.oid = t.typnamespace
WHERE t.typtype IN ('d', 'e', 'r')
  AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_catalog.pg_type'::regclass AND m.objid = t.oid)
UNION ALL
SELECT 'schema', quote_ident(s.nspname), md5(concat_ws('|', s.nspowner,
           (SELECT string_agg(concat_ws(':', e.grantee, e.privilege_type, e.is_grantable), ',' ORDER BY e.grantee, e.privilege_type)
            FROM aclexplode(coalesce(s.nspacl, acldefault('n', s.nspowner))) e, apart WHERE e.grantee <> ALL (apart.roles))))
FROM spaces s
UNION ALL
SELECT 'extension', quote_ident(x.extname), md5(concat_ws('|', x.extversion, x.extnamespace, x.extowner))
FROM pg_catalog.pg_extension x
UNION ALL
SELECT 'event trigger', quote_ident(v.evtname), md5(concat_ws('|', v.evtevent, v.evtfoid, v.evtenabled, v.evttags))
FROM pg_catalog.pg_event_trigger v
UNION ALL
SELECT 'publication', quote_ident(p.pubname), md5((to_jsonb(p) - 'oid')::text || coalesce((
            SELECT string_agg((to_jsonb(m) - 'oid')::text, ',' ORDER BY m.prrelid) FROM pg_catalog.pg_publication_rel m WHERE m.prpubid = p.oid), ''))
FROM pg_catalog.pg_publication p WHERE p.pubname !~ '^pgleap_.*_(copy|back)$'
UNION ALL
SELECT 'role', quote_ident(r.rolname), md5(concat_ws('|', r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb,
           r.rolcanlogin, r.rolreplication, r.rolbypassrls, r.rolconnlimit, r.rolvaliduntil,
           (SELECT string_agg(concat(m.roleid, ':', m.admin_option), ',' ORDER BY m.roleid, m.admin_option)
            FROM pg_catalog.pg_auth_members m, apart WHERE m.member = r.oid AND m.roleid <> ALL (apart.roles))))
FROM pg_catalog.pg_roles r, apart
WHERE r.rolname !~ '^(pg_|pgleap_|rds)' AND r.oid <> ALL (apart.roles)
UNION ALL
SELECT 'settings of', coalesce(quote_ident(r.rolname), 'all roles') || ' in ' || CASE WHEN s.setdatabase = 0 THEN 'all databases' ELSE 'this database' END,
       md5(s.setconfig::text)
FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, apart
WHERE s.setrole <> ALL (apart.roles) AND coalesce(r.rolname, '') !~ '^rds'
  AND s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database()))
UNION ALL
SELECT 'database', quote_ident(d.datname), md5(concat_ws('|', d.datdba, d.datconnlimit,
           (SELECT string_agg(concat_ws(':', e.grantee, e.privilege_type, e.is_grantable), ',' ORDER BY e.grantee, e.privilege_type)
            FROM (SELECT a.grantee, a.privilege_type, a.is_grantable
                  FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
                  WHERE NOT EXISTS (SELECT FROM pgleap.saved_access s WHERE s.database = d.datname)
                  UNION ALL
                  SELECT a.grantee, a.privilege_type, a.is_grantable
                  FROM pgleap.saved_access s CROSS JOIN LATERAL pgleap.saved_doors(s.acl) a WHERE s.database = d.datname) e, apart
            WHERE e.grantee <> ALL (apart.roles))))
FROM pg_catalog.pg_database d WHERE d.datname = current_database()
UNION ALL
SELECT 'default privileges', 'all', md5(coalesce(string_agg(concat_ws('|', a.defaclrole, a.defaclnamespace, a.defaclobjtype, e.grantee,
           e.privilege_type, e.is_grantable), E'\n' ORDER BY a.defaclrole, a.defaclnamespace, a.defaclobjtype, e.grantee, e.privilege_type), ''))
FROM pg_catalog.pg_default_acl a CROSS JOIN LATERAL aclexplode(a.defaclacl) e, apart
WHERE a.defaclrole <> ALL (apart.roles) AND e.grantee <> ALL (apart.roles)
UNION ALL
SELECT 'comments on', d.classoid::regclass::text,
       md5(string_agg(concat_ws('|', coalesce(d.relation, d.objoid::text), d.objsubid, d.description), E'\n'
                      ORDER BY coalesce(d.relation, d.objoid::text), d.objsubid))
FROM (
    -- By name, because a REINDEX CONCURRENTLY gives an index another number.
    SELECT t.*, (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                 WHERE t.classoid = 'pg_catalog.pg_class'::regclass AND c.oid = t.objoid) AS relation
    FROM pg_catalog.pg_description t
) d
WHERE d.objoid >= 16384 AND NOT EXISTS (SELECT FROM members m WHERE m.classid = d.classoid AND m.objid = d.objoid)
GROUP BY d.classoid
UNION ALL
SELECT 'comment on', k.what, md5(d.description)
FROM pg_catalog.pg_shdescription d
JOIN (
    SELECT 'pg_catalog.pg_authid'::regclass AS classoid, r.oid, 'role ' || quote_ident(r.rolname) AS what
    FROM pg_catalog.pg_roles r, apart WHERE r.rolname !~ '^(pg_|pgleap_|rds)' AND r.oid <> ALL (apart.roles)
    UNION ALL
    SELECT 'pg_catalog.pg_database'::regclass, b.oid, 'database ' || quote_ident(b.datname)
    FROM pg_catalog.pg_database b WHERE b.datname = current_database()
) k ON k.classoid = d.classoid AND k.oid = d.objoid
UNION ALL
-- A source that has any is refused, so it is enough to see the first.
SELECT 'large objects', 'all', 'there are some' WHERE EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)
UNION ALL
SELECT o.kind, 'all', md5(coalesce(string_agg(concat(o.oid, ' ', o.definition), E'\n' ORDER BY o.oid), ''))
FROM (
    SELECT 'casts' AS kind, c.oid, to_jsonb(c)::text AS definition FROM pg_catalog.pg_cast c
    UNION ALL SELECT 'operators', p.oid, to_jsonb(p)::text FROM pg_catalog.pg_operator p
    UNION ALL SELECT 'operator classes', k.oid, to_jsonb(k)::text FROM pg_catalog.pg_opclass k
    UNION ALL SELECT 'collations', l.oid, (to_jsonb(l) - 'collversion')::text FROM pg_catalog.pg_collation l
    UNION ALL SELECT 'conversions', v.oid, to_jsonb(v)::text FROM pg_catalog.pg_conversion v
    UNION ALL SELECT 'text search configurations', t.oid, to_jsonb(t)::text || coalesce((
        SELECT string_agg(concat_ws(':', m.maptokentype, m.mapseqno, m.mapdict), ',' ORDER BY m.maptokentype, m.mapseqno)
        FROM pg_catalog.pg_ts_config_map m WHERE m.mapcfg = t.oid), '') FROM pg_catalog.pg_ts_config t
    UNION ALL SELECT 'text search dictionaries', d.oid, to_jsonb(d)::text FROM pg_catalog.pg_ts_dict d
    UNION ALL SELECT 'foreign servers', f.oid, (to_jsonb(f) - 'srvacl')::text FROM pg_catalog.pg_foreign_server f
    UNION ALL SELECT 'languages', g.oid, (to_jsonb(g) - 'lanacl')::text FROM pg_catalog.pg_language g
) o
WHERE o.oid >= 16384
GROUP BY o.kind
