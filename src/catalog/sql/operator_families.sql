SELECT f.oid,
       f.opfname AS name,
       f.opfnamespace AS schema,
       f.opfowner AS owner,
       f.opfmethod AS access_method
FROM pg_catalog.pg_opfamily f
