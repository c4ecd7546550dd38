SELECT c.oid,
       c.cfgname AS name,
       c.cfgnamespace AS schema,
       c.cfgowner AS owner,
       c.cfgparser
FROM pg_catalog.pg_ts_config c
