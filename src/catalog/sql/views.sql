-- The queries of views and materialized views.
SELECT c.oid
     , pg_catalog.pg_get_viewdef(c.oid) AS definition
FROM pg_catalog.unnest(:chosen) AS chosen(oid)
JOIN pg_catalog.pg_class AS c ON c.oid = chosen.oid AND c.relkind IN ('v', 'm')
