-- The view, not pg_user_mapping, which only superusers may read. It shows no options to whoever has no right to them: such a mapping is then written without.
SELECT m.srvid,
       m.usename,
       array_to_string(ARRAY(SELECT quote_ident(option_name) || ' ' || quote_literal(option_value)
                             FROM pg_options_to_table(m.umoptions)
                             ORDER BY option_name), E',\n    ') AS options
FROM pg_catalog.pg_user_mappings m
ORDER BY m.srvid, m.usename
