-- Every type, the system's too: anything may be made of them, and objects are sorted by their names. Few columns, since each table adds two rows; what a definition needs is in type_details.sql.
SELECT t.oid
     , t.typname
     , t.typnamespace
     , t.typowner
     , t.typacl
     , CASE WHEN t.typacl IS NOT NULL OR t.oid < 16384 OR c.relkind IS NULL OR c.relkind = 'c' THEN pg_catalog.acldefault('T', t.typowner) END AS acldefault
     , CASE WHEN (t.typtype = 'c' AND c.relkind <> 'c' OR element.typtype = 'c' AND element.typarray = t.oid) IS NOT TRUE
            THEN pg_catalog.format_type(t.oid, NULL) END AS formatted -- the many others are like their tables' names
     , t.typelem
     , t.typarray
     , t.typrelid
     , c.relkind
     , t.typtype
     , t.typisdefined
     , element.typarray = t.oid AS is_array
FROM pg_catalog.pg_type AS t
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
LEFT JOIN pg_catalog.pg_type AS element ON element.oid = t.typelem
ORDER BY t.oid
