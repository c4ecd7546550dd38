SELECT t.oid,
       t.tmplname AS name,
       t.tmplnamespace AS schema,
       t.tmplinit,
       t.tmpllexize
FROM pg_catalog.pg_ts_template t
