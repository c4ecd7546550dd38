SELECT d.oid,
       d.dictname AS name,
       d.dictnamespace AS schema,
       d.dictowner AS owner,
       d.dicttemplate,
       d.dictinitoption
FROM pg_catalog.pg_ts_dict d
