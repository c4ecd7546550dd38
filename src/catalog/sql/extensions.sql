-- keys: the foreign keys between configuration tables, as pairs of oids: the table that refers and the one referred to
SELECT x.oid,
       x.extname,
       n.nspname,
       x.extrelocatable,
       x.extversion,
       x.extconfig,
       x.extcondition,
       k.keys
FROM pg_catalog.pg_extension x
     JOIN pg_catalog.pg_namespace n ON n.oid = x.extnamespace
     LEFT JOIN (SELECT d.refobjid, array_agg(ARRAY[f.conrelid, f.confrelid] ORDER BY f.oid) AS keys
                FROM pg_catalog.pg_depend d
                     JOIN pg_catalog.pg_constraint f ON f.contype = 'f' AND f.confrelid = d.objid
                WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
                  AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                GROUP BY d.refobjid) k ON k.refobjid = x.oid
