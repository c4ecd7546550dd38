SELECT s.oid,
       s.srvname AS name,
       s.srvowner AS owner,
       s.srvfdw,
       s.srvtype,
       s.srvversion,
       s.srvacl AS acl,
       acldefault('S', s.srvowner) AS default_acl,
       array_to_string(ARRAY(SELECT quote_ident(option_name) || ' ' || quote_literal(option_value)
                             FROM pg_options_to_table(s.srvoptions)
                             ORDER BY option_name), E',\n    ') AS options
FROM pg_catalog.pg_foreign_server s
