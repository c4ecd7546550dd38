-- How tables are partitioned and what their partitions hold. Texts are for the chosen ones, which are locked; whether rows must go in through the root is needed of every table above a partition:
-- it is so where a hash of an enum decides, since an enum's values get new oids.
SELECT c.oid
     , CASE WHEN chosen.oid IS NOT NULL AND c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END AS key
     , CASE WHEN chosen.oid IS NOT NULL AND c.relispartition THEN pg_catalog.pg_get_expr(c.relpartbound, c.oid) END AS bound
     , COALESCE((SELECT k.oid
                 FROM pg_catalog.pg_opclass AS k
                 JOIN pg_catalog.pg_am AS am ON am.oid = k.opcmethod AND am.amname = 'hash'
                 WHERE k.opcname = 'enum_ops' AND k.opcnamespace = 11) = ANY (p.partclass), false) AS unsafe
FROM pg_catalog.pg_class AS c
LEFT JOIN pg_catalog.unnest(:chosen) AS chosen(oid) ON chosen.oid = c.oid
LEFT JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = c.oid
WHERE c.relkind IN ('r', 'p', 'f') AND (c.relkind = 'p' OR c.relispartition)
