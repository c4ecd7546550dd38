-- Defaults and generation expressions.
SELECT d.oid
     , d.adrelid
     , d.adnum
     , pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS expression
FROM pg_catalog.unnest(:tables) AS interesting(oid)
JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = interesting.oid
ORDER BY d.adrelid, d.adnum
