-- The columns of composite types that were made by CREATE TYPE, the dropped ones too; one row without a column for a type that has none.
SELECT c.reltype
     , a.attname
     , a.attnum
     , pg_catalog.format_type(a.atttypid, a.atttypmod) AS definition
     , a.attlen
     , a.attalign
     , a.attisdropped
     , CASE WHEN a.attcollation <> t.typcollation
            THEN (SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(o.collname)
                  FROM pg_catalog.pg_collation AS o JOIN pg_catalog.pg_namespace AS n ON n.oid = o.collnamespace
                  WHERE o.oid = a.attcollation) END AS collation
     , (SELECT pg_catalog.substr(o.o, 11) FROM pg_catalog.unnest(a.attoptions) AS o (o) WHERE pg_catalog.substr(o.o, 1, 10) = 'pg_attver=') AS version
     , EXISTS (SELECT FROM pg_catalog.pg_proc AS f
               WHERE f.proname = 'binary_upgrade_set_next_attribute_versions' AND f.pronamespace = 11) AS has_versions
FROM pg_catalog.pg_class AS c
LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
LEFT JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_depend AS e ON e.classid = 1247 AND e.objid = c.reltype AND e.objsubid = 0 AND e.refclassid = 3079 AND e.deptype = 'e'
WHERE c.relkind = 'c'
  AND CASE WHEN e.objid IS NULL THEN c.relnamespace = ANY (:schemas) ELSE :upgrade END
ORDER BY c.reltype, a.attnum
