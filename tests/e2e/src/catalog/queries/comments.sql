-- Every comment, on whatever it is.
SELECT 'comment', format('%s %s', o.type, o.identity), jsonb_build_object('text', d.description)
FROM pg_description d, LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) AS o
WHERE (d.objoid >= 16384 AND pg_temp.is_users(d.objoid, d.classoid::regclass::text, coalesce(o.schema, '')))
UNION ALL
SELECT 'comment', format('%s %s', o.type, o.identity), jsonb_build_object('text', d.description)
FROM pg_shdescription d, LATERAL pg_identify_object(d.classoid, d.objoid, 0) AS o
WHERE CASE WHEN d.classoid = 'pg_database'::regclass THEN o.identity NOT IN ('template0', 'template1', 'rdsadmin', 'postgres')
                                                       OR o.identity = quote_ident(current_database())
      ELSE d.objoid >= 16384 END
