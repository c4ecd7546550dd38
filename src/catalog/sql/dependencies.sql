-- What depends on what. The members of operator families stand for their family; what is pinned or belongs to an extension is known otherwise.
SELECT classid, objid, refclassid, refobjid, deptype
FROM pg_catalog.pg_depend
WHERE deptype <> 'p' AND deptype <> 'e'
  AND classid <> 'pg_catalog.pg_amop'::pg_catalog.regclass AND classid <> 'pg_catalog.pg_amproc'::pg_catalog.regclass
  AND objid::pg_catalog.int8 % :parts = :part
UNION ALL
SELECT 'pg_catalog.pg_opfamily'::pg_catalog.regclass, o.amopfamily, refclassid, refobjid, deptype
FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_amop o ON d.objid = o.oid
WHERE deptype NOT IN ('p', 'e', 'i') AND classid = 'pg_catalog.pg_amop'::pg_catalog.regclass
  AND o.amopfamily::pg_catalog.int8 % :parts = :part
  AND NOT (refclassid = 'pg_catalog.pg_opfamily'::pg_catalog.regclass AND amopfamily = refobjid)
UNION ALL
SELECT 'pg_catalog.pg_opfamily'::pg_catalog.regclass, p.amprocfamily, refclassid, refobjid, deptype
FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_amproc p ON d.objid = p.oid
WHERE deptype NOT IN ('p', 'e', 'i') AND classid = 'pg_catalog.pg_amproc'::pg_catalog.regclass
  AND p.amprocfamily::pg_catalog.int8 % :parts = :part
  AND NOT (refclassid = 'pg_catalog.pg_opfamily'::pg_catalog.regclass AND amprocfamily = refobjid)
