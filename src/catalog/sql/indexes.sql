-- Indexes of the relations whose columns are read, with the primary key, unique or exclusion constraint that each may stand for.
-- An index that is invalid is no use to anybody, but for those of partitioned tables, which are so until all their parts are attached.
SELECT t.oid, i.indrelid, t.relname, t.relfilenode, t.reloptions
, CASE WHEN c.oid IS NULL THEN pg_get_indexdef(i.indexrelid) END AS definition
, i.indkey, i.indnkeyatts, i.indnatts, i.indisclustered, i.indisreplident
, i.indnullsnotdistinct                                  --@ 15+
, space.spcname, inh.inhparent, target.columns AS statistics_columns, target.targets AS statistics_targets
, c.oid AS constraint_oid, c.contype, c.conname, c.condeferrable, c.condeferred
, c.conperiod                                            --@ 18+
, CASE WHEN c.contype = 'x' THEN pg_get_constraintdef(c.oid, false) END AS constraint_definition
FROM unnest(:tables) AS src(relation)
JOIN pg_index i ON i.indrelid = src.relation
JOIN pg_class t ON t.oid = i.indexrelid
JOIN pg_class parent ON parent.oid = i.indrelid
LEFT JOIN pg_constraint c ON c.conrelid = i.indrelid AND c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x')
LEFT JOIN pg_inherits inh ON inh.inhrelid = i.indexrelid
LEFT JOIN pg_tablespace space ON space.oid = t.reltablespace
LEFT JOIN (SELECT a.attrelid, array_agg(a.attnum ORDER BY a.attnum) AS columns, array_agg(a.attstattarget ORDER BY a.attnum) AS targets
           FROM pg_attribute a WHERE a.attstattarget >= 0 AND a.attnum > 0 GROUP BY a.attrelid) target ON target.attrelid = i.indexrelid
WHERE (i.indisvalid OR parent.relkind = 'p') AND i.indisready
ORDER BY i.indrelid, t.relname
