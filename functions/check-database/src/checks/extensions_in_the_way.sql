-- Extensions that stop an upgrade between these majors. Reads: the catalogs, the server's list of extensions. Changes: nothing.
SELECT format('%s %s', x.extname, x.extversion) AS what,
       CASE WHEN x.extname IN ('pg_repack', 'pgrouting') THEN 'RDS requires that it is dropped before a major version upgrade'
            WHEN x.extname IN ('tsearch2', 'chkpass', 'plrust') THEN 'RDS does not offer it on the requested version'
            WHEN x.extname = 'rdkit' THEN 'its versions up to 4.6.0 cannot be upgraded to PostgreSQL 17 or later'
            ELSE 'an upgrade that skips major versions requires all PostGIS extensions to have ' || coalesce('version ' || a.default_version, 'their newest version') END AS why
FROM pg_extension x LEFT JOIN pg_available_extensions a ON a.name = x.extname
WHERE x.extname IN ('pg_repack', 'pgrouting', 'tsearch2', 'chkpass')
   OR x.extname = 'plrust' AND {target_major} >= 18
   OR x.extname = 'rdkit' AND {target_major} >= 17 AND x.extversion ~ '^([0-3]\.|4\.[0-6](\.0)?$)'
   OR x.extname ~ '^(postgis|postgis_raster|postgis_tiger_geocoder|postgis_topology|address_standardizer.*)$'
      AND {target_major} > {major} + 1 AND x.extversion IS DISTINCT FROM a.default_version
