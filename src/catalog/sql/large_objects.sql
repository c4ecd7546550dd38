SELECT oid,
       lomowner,
       lomacl,
       acldefault('L', lomowner) AS default_acl
FROM pg_catalog.pg_largeobject_metadata
ORDER BY lomowner, lomacl::pg_catalog.text, oid    --@ 17+
