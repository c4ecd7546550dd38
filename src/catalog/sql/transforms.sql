SELECT t.oid
     , t.trftype
     , l.lanname
     , t.trffromsql::pg_catalog.oid AS trffromsql
     , t.trftosql::pg_catalog.oid AS trftosql
FROM pg_catalog.pg_transform AS t
JOIN pg_catalog.pg_language AS l ON l.oid = t.trflang
ORDER BY t.trftype, t.trflang
