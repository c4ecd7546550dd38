SELECT o.contypid
     , o.oid
     , o.conname
     , o.contype
     , o.convalidated
     , pg_catalog.pg_get_constraintdef(o.oid) AS definition
FROM pg_catalog.pg_constraint AS o
JOIN pg_catalog.pg_type AS t ON t.oid = o.contypid
LEFT JOIN pg_catalog.pg_depend AS e ON e.classid = 1247 AND e.objid = t.oid AND e.objsubid = 0 AND e.refclassid = 3079 AND e.deptype = 'e'
WHERE CASE WHEN e.objid IS NULL THEN t.typnamespace = ANY (:schemas) ELSE :upgrade END
ORDER BY o.contypid, o.conname
