-- Extensions for which the server offers a newer version. Reads: the catalogs, the server's list of extensions. Changes: nothing.
SELECT format('%s %s', x.extname, x.extversion) AS what, a.default_version AS why
FROM pg_extension x JOIN pg_available_extensions a ON a.name = x.extname
WHERE a.default_version IS DISTINCT FROM x.extversion
