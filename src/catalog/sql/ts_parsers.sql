SELECT p.oid,
       p.prsname AS name,
       p.prsnamespace AS schema,
       p.prsstart,
       p.prstoken,
       p.prsend,
       p.prsheadline,
       p.prslextype
FROM pg_catalog.pg_ts_parser p
