-- Extended statistics and publications.
SELECT 'statistics', format('%I.%I', n.nspname, s.stxname),
  jsonb_strip_nulls(jsonb_build_object('definition', pg_get_statisticsobjdef(s.oid), 'owner', s.stxowner::regrole::text,
    'statistics target', nullif((to_jsonb(s) ->> 'stxstattarget')::int, -1)))
FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
WHERE pg_temp.is_users(s.oid, 'pg_statistic_ext', n.nspname)
UNION ALL
SELECT 'publication', format('%I', p.pubname),
  jsonb_strip_nulls(jsonb_build_object('owner', p.pubowner::regrole::text,
    'does', format('all %s insert %s update %s delete %s truncate %s root %s', p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, p.pubviaroot),
    'tables', (SELECT string_agg(r.prrelid::regclass::text, ', ' ORDER BY r.prrelid::regclass::text) FROM pg_publication_rel r WHERE r.prpubid = p.oid)))
FROM pg_publication p
