-- What the definitions of base types, domains and ranges are made of, ready to be written: NULL is what is left out.
SELECT t.oid
     , t.typtype
-- base types
     , CASE t.typlen WHEN -1 THEN 'variable' ELSE t.typlen::pg_catalog.text END AS length
     , t.typinput
     , t.typoutput
     , NULLIF(t.typreceive::pg_catalog.text, '-') AS typreceive
     , NULLIF(t.typsend::pg_catalog.text, '-') AS typsend
     , NULLIF(t.typmodin::pg_catalog.text, '-') AS typmodin
     , NULLIF(t.typmodout::pg_catalog.text, '-') AS typmodout
     , NULLIF(t.typanalyze::pg_catalog.text, '-') AS typanalyze
     , CASE WHEN t.typcollation <> 0 THEN 'true' END AS collatable
     , CASE t.typtype WHEN 'd' THEN pg_catalog.pg_get_expr(t.typdefaultbin, 'pg_catalog.pg_type'::pg_catalog.regclass)
                      ELSE pg_catalog.pg_get_expr(t.typdefaultbin, 0) END AS default_expression
     , CASE WHEN t.typdefaultbin IS NULL THEN t.typdefault END AS default_literal
     , NULLIF(t.typsubscript::pg_catalog.text, '-') AS typsubscript --@ 14+
     , CASE WHEN t.typelem <> 0 THEN pg_catalog.format_type(t.typelem, NULL) END AS element
     , NULLIF(t.typcategory, 'U') AS category
     , CASE WHEN t.typispreferred THEN 'true' END AS preferred
     , NULLIF(t.typdelim, ',') AS delimiter
     , CASE t.typalign WHEN 'c' THEN 'char' WHEN 's' THEN 'int2' WHEN 'i' THEN 'int4' WHEN 'd' THEN 'double' END AS alignment
     , CASE t.typstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'x' THEN 'extended' WHEN 'm' THEN 'main' END AS storage
     , CASE WHEN t.typbyval THEN '' END AS by_value
-- domains
     , pg_catalog.format_type(t.typbasetype, t.typtypmod) AS definition
     , CASE t.typtype WHEN 'd' THEN (SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(o.collname)
                                     FROM pg_catalog.pg_collation AS o JOIN pg_catalog.pg_namespace AS n ON n.oid = o.collnamespace
                                     WHERE o.oid = t.typcollation AND t.typcollation <> base.typcollation) END AS domain_collation
     , t.typnotnull
-- ranges
     , pg_catalog.format_type(r.rngsubtype, NULL) AS subtype
     , pg_catalog.format_type(multirange.oid, NULL) AS multirange --@ 14+
     , multirange.oid AS multirange_oid --@ 14+
     , multirange.typarray AS multirange_array --@ 14+
     , (SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(o.opcname)
        FROM pg_catalog.pg_opclass AS o JOIN pg_catalog.pg_namespace AS n ON n.oid = o.opcnamespace
        WHERE o.oid = r.rngsubopc AND NOT o.opcdefault) AS operator_class
     , (SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(o.collname)
        FROM pg_catalog.pg_collation AS o JOIN pg_catalog.pg_namespace AS n ON n.oid = o.collnamespace
        WHERE o.oid = r.rngcollation AND r.rngcollation <> subtype.typcollation) AS range_collation
     , NULLIF(r.rngcanonical::pg_catalog.text, '-') AS canonical
     , NULLIF(r.rngsubdiff::pg_catalog.text, '-') AS difference
FROM pg_catalog.pg_type AS t
LEFT JOIN pg_catalog.pg_depend AS e ON e.classid = 1247 AND e.objid = t.oid AND e.objsubid = 0 AND e.refclassid = 3079 AND e.deptype = 'e'
LEFT JOIN pg_catalog.pg_type AS element ON element.oid = t.typelem
LEFT JOIN pg_catalog.pg_type AS base ON base.oid = t.typbasetype
LEFT JOIN pg_catalog.pg_range AS r ON r.rngtypid = t.oid
LEFT JOIN pg_catalog.pg_type AS subtype ON subtype.oid = r.rngsubtype
LEFT JOIN pg_catalog.pg_type AS multirange ON multirange.oid = r.rngmultitypid --@ 14+
WHERE t.typtype IN ('b', 'd', 'r')
  AND element.typarray IS DISTINCT FROM t.oid
  AND CASE WHEN e.objid IS NULL THEN t.typnamespace = ANY (:schemas) ELSE :upgrade END
