SELECT oid,
       nspname,
       nspowner,
       nspacl,
       acldefault('n', nspowner) AS default_acl
FROM pg_catalog.pg_namespace
