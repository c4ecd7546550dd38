-- ts_token_type() runs the parser's own code, once for each parser that such a configuration has.
SELECT m.mapcfg,
       t.alias,
       m.mapdict
FROM pg_catalog.pg_ts_config_map m
JOIN pg_catalog.pg_ts_config c ON c.oid = m.mapcfg
LEFT JOIN (SELECT p.cfgparser, k.tokid, k.alias
           FROM (SELECT DISTINCT cfgparser FROM pg_catalog.pg_ts_config WHERE :upgrade OR cfgnamespace = ANY (:schemas)) p,
                LATERAL ts_token_type(p.cfgparser) k) t ON t.cfgparser = c.cfgparser AND t.tokid = m.maptokentype
WHERE :upgrade OR c.cfgnamespace = ANY (:schemas)
ORDER BY m.mapcfg, m.maptokentype, m.mapseqno
