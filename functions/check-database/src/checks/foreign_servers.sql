-- Foreign servers whose host is an IP address. Reads: the catalogs. Changes: nothing.
SELECT quote_ident(s.srvname) AS what, split_part(o.option, '=', 2) AS why
FROM pg_foreign_server s CROSS JOIN unnest(s.srvoptions) AS o (option)
WHERE o.option ~ '^(host|hostaddr)=([0-9]+\.[0-9]+\.[0-9]+\.[0-9]+|[0-9a-f]*:[0-9a-f:]+)$'
