-- Extended statistics. Only of relations that are locked may a definition be asked for.
SELECT s.oid, s.stxname, s.stxnamespace, s.stxowner, s.stxrelid
, s.stxstattarget                                        --@ 13+
, CASE WHEN src.relation IS NOT NULL THEN pg_get_statisticsobjdef(s.oid) END AS definition
FROM pg_statistic_ext s
LEFT JOIN unnest(:chosen) AS src(relation) ON src.relation = s.stxrelid
ORDER BY s.oid
