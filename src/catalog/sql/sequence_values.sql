-- Where the sequences stand. Only a SELECT from a sequence itself tells last_value and is_called exactly; before there is a function for it, query_to_xml, which needs no libxml, does that for all of them inside one query.
-- Those that may not be read, or cannot be on a standby, give NULL: whoever needs them says so.
SELECT c.oid
     , v.last_value || CASE WHEN v.is_called THEN ', true' ELSE ', false' END AS value   --@ 18+
     , CASE WHEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT')                     --@ 17-
                 AND NOT (c.relpersistence = 'u' AND pg_catalog.pg_is_in_recovery()) THEN --@ 17-
           substring(pg_catalog.query_to_xml(pg_catalog.format(                          --@ 17-
               'SELECT last_value || '', '' || is_called AS v FROM %I.%I', n.nspname, c.relname), --@ 17-
               false, false, '')::text FROM '<v>([^<]*)</v>') END AS value               --@ 17-
FROM pg_catalog.unnest(:tables) AS interesting(oid) -- with the sequences of extensions whose values are the user's
JOIN pg_catalog.pg_class AS c ON c.oid = interesting.oid AND c.relkind = 'S'
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL pg_catalog.pg_get_sequence_data(c.oid) AS v                           --@ 18+
