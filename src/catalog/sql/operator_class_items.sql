-- An operator or support function belongs to a class's CREATE when pg_depend ties it to the class, to ALTER OPERATOR FAMILY … ADD when it is tied to the family itself. An operator FOR ORDER BY is tied to
-- the family that sorts, too: that is not its own. Built-in ones have no such rows.
-- Operators of one strategy stand in the order of their types' oids, functions of one number in that in which they were made: the orders in which pg_dump's own plans find them.
SELECT d.refclassid,
       d.refobjid,
       'o'::"char" AS item,
       o.amopstrategy AS number,
       o.amopopr::regoperator::text AS item_name,
       o.amopsortfamily AS sort_family,
       NULL::text AS left_name,
       NULL::text AS right_name,
       o.amoplefttype AS left_type,
       o.amoprighttype AS right_type,
       d.objid
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_amop o ON o.oid = d.objid
LEFT JOIN pg_catalog.pg_opclass c ON d.refclassid = 'pg_catalog.pg_opclass'::regclass AND c.oid = d.refobjid
WHERE d.classid = 'pg_catalog.pg_amop'::regclass
  AND (d.refclassid = 'pg_catalog.pg_opclass'::regclass AND o.amopfamily = c.opcfamily
       OR d.refclassid = 'pg_catalog.pg_opfamily'::regclass AND o.amopfamily = d.refobjid)
UNION ALL
SELECT d.refclassid,
       d.refobjid,
       'p'::"char",
       p.amprocnum,
       p.amproc::regprocedure::text,
       0,
       p.amproclefttype::regtype::text,
       p.amprocrighttype::regtype::text,
       0,
       0,
       d.objid
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_amproc p ON p.oid = d.objid
WHERE d.classid = 'pg_catalog.pg_amproc'::regclass
  AND d.refclassid IN ('pg_catalog.pg_opclass'::regclass, 'pg_catalog.pg_opfamily'::regclass)
ORDER BY refclassid, refobjid, item, number, left_type, right_type, objid
