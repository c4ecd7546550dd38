SELECT p.oid, p.prpubid, p.prrelid
, pg_get_expr(p.prqual, p.prrelid) AS filter             --@ 15+
, CASE WHEN p.prattrs IS NOT NULL THEN (                 --@ 15+
    SELECT array_agg(a.attname ORDER BY a.attnum)        --@ 15+
    FROM pg_attribute a                                  --@ 15+
    WHERE a.attrelid = p.prrelid AND a.attnum = ANY (p.prattrs::int2[]) --@ 15+
  ) END AS columns                                       --@ 15+
FROM pg_publication_rel p
JOIN unnest(:chosen) AS src(relation) ON p.prrelid = src.relation --@ 17-
