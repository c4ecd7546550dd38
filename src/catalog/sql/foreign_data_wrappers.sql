SELECT w.oid,
       w.fdwname AS name,
       w.fdwowner AS owner,
       w.fdwhandler::regproc AS handler,
       w.fdwvalidator::regproc AS validator,
       w.fdwacl AS acl,
       acldefault('F', w.fdwowner) AS default_acl,
       array_to_string(ARRAY(SELECT quote_ident(option_name) || ' ' || quote_literal(option_value)
                             FROM pg_options_to_table(w.fdwoptions)
                             ORDER BY option_name), E',\n    ') AS options
FROM pg_catalog.pg_foreign_data_wrapper w
