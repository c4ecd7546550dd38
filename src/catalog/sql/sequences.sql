-- What sequences are made with.
SELECT s.seqrelid
     , pg_catalog.format_type(s.seqtypid, NULL) AS type
     , s.seqstart
     , s.seqincrement
     , s.seqmax
     , s.seqmin
     , s.seqcache
     , s.seqcycle
FROM pg_catalog.unnest(:tables) AS interesting(oid)
JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = interesting.oid
