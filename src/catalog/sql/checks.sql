-- CHECK constraints of tables; and NOT NULL ones that were never validated, which from 18 on may be.
SELECT k.oid
     , k.conrelid
     , k.conname
     , pg_catalog.pg_get_constraintdef(k.oid) AS definition
     , k.conislocal
     , k.convalidated
     , k.contype
FROM pg_catalog.unnest(:tables) AS interesting(oid)
JOIN pg_catalog.pg_constraint AS k ON k.conrelid = interesting.oid
WHERE k.contype = 'c'
   OR k.contype = 'n' AND NOT k.convalidated --@ 18+
ORDER BY k.conrelid, k.contype, k.conname
