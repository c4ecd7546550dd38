SELECT p.oid, p.polrelid, p.polname, p.polcmd, p.polpermissive
, CASE WHEN p.polroles <> '{0}' THEN
    array_to_string(ARRAY(SELECT quote_ident(r.rolname) FROM pg_roles r WHERE r.oid = ANY (p.polroles)), ', ')
  END AS roles
, pg_get_expr(p.polqual, p.polrelid) AS using_expression, pg_get_expr(p.polwithcheck, p.polrelid) AS check_expression
FROM unnest(:chosen) AS src(relation)
JOIN pg_policy p ON p.polrelid = src.relation
