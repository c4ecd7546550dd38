-- What the planner knows of relations and their indexes: a row for each column that has been analyzed, at least one for each relation.
SELECT c.oid, c.relkind, i.indrelid, c.relpages, c.reltuples, c.relallvisible
, c.relallfrozen                                         --@ 18+
, s.attname, a.attnum, s.inherited, s.null_frac, s.avg_width, s.n_distinct, s.most_common_vals, s.most_common_freqs, s.histogram_bounds, s.correlation
, s.most_common_elems, s.most_common_elem_freqs, s.elem_count_histogram
, s.range_length_histogram, s.range_empty_frac, s.range_bounds_histogram --@ 17+
FROM (SELECT src.relation AS oid FROM unnest(:chosen) AS src(relation)
      UNION ALL SELECT x.indexrelid FROM unnest(:chosen) AS src(relation) JOIN pg_index x ON x.indrelid = src.relation) chosen
JOIN pg_class c ON c.oid = chosen.oid AND c.relkind IN ('r', 'p', 'm', 'f', 'i', 'I')
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname
ORDER BY c.oid, s.attname, s.inherited
