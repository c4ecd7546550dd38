-- Foreign keys, but those that a partition has from its parent's; and (18) NOT NULL constraints that are not validated: ALTER TABLE adds them after the data.
SELECT c.oid, c.conrelid, c.conname, c.contype, c.confrelid, c.conindid, pg_get_constraintdef(c.oid) AS definition
, c.conislocal, c.convalidated
FROM unnest(:chosen) AS src(relation)
JOIN pg_constraint c ON c.conrelid = src.relation
WHERE (c.contype = 'f' AND c.conparentid = 0)
   OR (c.contype = 'n' AND NOT c.convalidated)           --@ 18+
ORDER BY c.conrelid, c.conname
