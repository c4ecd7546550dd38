SELECT l.enumtypid
     , l.oid
     , l.enumlabel
FROM pg_catalog.pg_enum AS l
JOIN pg_catalog.pg_type AS t ON t.oid = l.enumtypid
LEFT JOIN pg_catalog.pg_depend AS e ON e.classid = 1247 AND e.objid = t.oid AND e.objsubid = 0 AND e.refclassid = 3079 AND e.deptype = 'e'
WHERE CASE WHEN e.objid IS NULL THEN t.typnamespace = ANY (:schemas) ELSE :upgrade END
ORDER BY l.enumtypid, l.enumsortorder
