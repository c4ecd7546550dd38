-- Where foreign tables are.
SELECT f.ftrelid
     , s.srvname
     , pg_catalog.array_to_string(ARRAY(
           SELECT pg_catalog.quote_ident(option_name) || ' ' || pg_catalog.quote_literal(option_value)
           FROM pg_catalog.pg_options_to_table(f.ftoptions)
           ORDER BY option_name), E',\n    ') AS options
FROM pg_catalog.unnest(:chosen) AS chosen(oid)
JOIN pg_catalog.pg_foreign_table AS f ON f.ftrelid = chosen.oid
JOIN pg_catalog.pg_foreign_server AS s ON s.oid = f.ftserver
