-- Indexes of the relations whose columns are read, with the primary key, unique or exclusion constraint that each may stand for.
-- An index that is invalid is no use to anybody, but for those of partitioned tables, which are so until all their parts are attached.
SELECT t.oid, i.indrelid, t.relname, t.relfilenode, t.reloptions
, i.indisunique
-- The server works long for each definition, so it is not asked for here. One of columns alone, in a btree, with nothing else said, is written from what is known of the columns; that of the others is
-- read after (index_definitions.sql).
, t.relkind = 'i' AND t.relam = 403 AND t.reloptions IS NULL AND i.indexprs IS NULL AND i.indpred IS NULL AND i.indnatts = i.indnkeyatts
  AND NOT i.indnullsnotdistinct                          --@ 15+
  AS plain
, i.indclass, i.indcollation, i.indoption
, i.indkey, i.indnkeyatts, i.indnatts, i.indisclustered, i.indisreplident
, i.indnullsnotdistinct                                  --@ 15+
, space.spcname, inh.inhparent, -- only expressions have statistics targets of their own
CASE WHEN i.indexprs IS NOT NULL THEN (SELECT array_agg(a.attnum ORDER BY a.attnum) FROM pg_attribute a
                                         WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0 AND a.attnum > 0) END AS statistics_columns
, CASE WHEN i.indexprs IS NOT NULL THEN (SELECT array_agg(a.attstattarget ORDER BY a.attnum) FROM pg_attribute a
                                         WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0 AND a.attnum > 0) END AS statistics_targets
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
WHERE (i.indisvalid OR parent.relkind = 'p') AND i.indisready
ORDER BY i.indrelid, t.relname
