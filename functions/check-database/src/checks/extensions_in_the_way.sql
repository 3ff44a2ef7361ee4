-- Extensions that stop an upgrade between these majors. Reads: the catalogs, the server's list of extensions. Changes: nothing.
SELECT format('%s %s', x.extname, x.extversion) AS what,
       CASE WHEN x.extname IN ('pg_repack', 'pgrouting') THEN 'RDS wants it dropped before a major upgrade'
            WHEN x.extname IN ('tsearch2', 'chkpass', 'plrust') THEN 'the wanted version does not have it'
            WHEN x.extname = 'rdkit' THEN 'up to 4.6.0 it does not come to 17 or later'
            ELSE 'before majors are skipped the PostGIS family must be at ' || coalesce(a.default_version, 'its newest version') END AS why
FROM pg_extension x LEFT JOIN pg_available_extensions a ON a.name = x.extname
WHERE x.extname IN ('pg_repack', 'pgrouting', 'tsearch2', 'chkpass')
   OR x.extname = 'plrust' AND {target_major} >= 18
   OR x.extname = 'rdkit' AND {target_major} >= 17 AND x.extversion ~ '^([0-3]\.|4\.[0-6](\.0)?$)'
   OR x.extname ~ '^(postgis|postgis_raster|postgis_tiger_geocoder|postgis_topology|address_standardizer.*)$'
      AND {target_major} > {major} + 1 AND x.extversion IS DISTINCT FROM a.default_version
