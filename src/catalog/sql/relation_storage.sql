-- For binary upgrade: the oids and files that relations keep.
SELECT c.oid
     , c.relfilenode
     , c.reltoastrelid
     , toast.relfilenode AS toast_file
     , i.indexrelid AS toast_index
     , ti.relfilenode AS toast_index_file
     , t.typarray
     , EXISTS (SELECT FROM pg_catalog.pg_proc AS f
               WHERE f.proname = 'binary_upgrade_set_next_attribute_versions' AND f.pronamespace = 11) AS column_versions
FROM pg_catalog.unnest(:chosen) AS chosen(oid)
JOIN pg_catalog.pg_class AS c ON c.oid = chosen.oid
LEFT JOIN pg_catalog.pg_class AS toast ON toast.oid = c.reltoastrelid
LEFT JOIN pg_catalog.pg_index AS i ON i.indrelid = c.reltoastrelid AND i.indisvalid
LEFT JOIN pg_catalog.pg_class AS ti ON ti.oid = i.indexrelid
LEFT JOIN pg_catalog.pg_type AS t ON t.oid = c.reltype
