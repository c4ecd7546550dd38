-- CHECK constraints of tables.
SELECT k.oid
     , k.conrelid
     , k.conname
     , pg_catalog.pg_get_constraintdef(k.oid) AS definition
     , k.conislocal
     , k.convalidated
FROM pg_catalog.unnest(:tables) AS interesting(oid)
JOIN pg_catalog.pg_constraint AS k ON k.conrelid = interesting.oid AND k.contype = 'c'
ORDER BY k.conrelid, k.conname
