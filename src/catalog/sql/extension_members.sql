SELECT classid, objid, refobjid
FROM pg_catalog.pg_depend
WHERE refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
  AND deptype = 'e'
ORDER BY refobjid
