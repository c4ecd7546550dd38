-- The columns of the relations that are dumped and of their parents, the dropped ones too: INSERT and binary upgrade count them.
SELECT a.attrelid
     , a.attnum
     , a.attname
     , a.atttypid
     , CASE WHEN a.atttypmod <> -1 OR a.atttypid IN (1042, 1560, 1014, 1561) -- without a modifier the type's own name, but for character and bit
            THEN pg_catalog.format_type(t.oid, a.atttypmod) END AS type
     , a.atttypmod
     , COALESCE(a.attstattarget, -1) AS statistics_target
     , a.attstorage
     , t.typstorage
     , a.attnotnull
     , a.attisdropped
     , a.attlen
     , a.attalign
     , a.attislocal
     , a.attidentity
     , a.attgenerated
     , a.attcompression                                      --@ 14+
     , pg_catalog.array_to_string(a.attoptions, ', ') AS options
     , CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation ELSE 0 END AS collation
     , CASE WHEN a.attfdwoptions IS NOT NULL THEN
           pg_catalog.array_to_string(ARRAY(
               SELECT pg_catalog.quote_ident(option_name) || ' ' || pg_catalog.quote_literal(option_value)
               FROM pg_catalog.pg_options_to_table(a.attfdwoptions)
               ORDER BY option_name), E',\n    ') END AS fdw_options
     , CASE WHEN a.atthasmissing AND NOT a.attisdropped THEN a.attmissingval END AS missing_value
     , n.conname AS not_null_name                            --@ 18+
     , n.conislocal AS not_null_local                        --@ 18+
     , n.connoinherit AS not_null_no_inherit                 --@ 18+
     , NOT n.convalidated AS not_null_invalid                --@ 18+
     , d.description AS not_null_comment                     --@ 18+
FROM pg_catalog.unnest(:tables) AS interesting(oid)
JOIN pg_catalog.pg_class AS c ON c.oid = interesting.oid AND c.relkind <> 'S'
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
LEFT JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_constraint AS n ON n.conrelid = a.attrelid AND n.contype = 'n' AND n.conkey[1] = a.attnum --@ 18+
LEFT JOIN pg_catalog.pg_description AS d ON d.classoid = 2606 AND d.objoid = n.oid --@ 18+
ORDER BY a.attrelid, a.attnum
