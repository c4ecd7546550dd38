-- The user's casts, but for those from a range to its multirange: they come with it.
SELECT c.oid
     , c.castsource
     , c.casttarget
     , c.castfunc
     , c.castcontext
     , c.castmethod
FROM pg_catalog.pg_cast AS c
WHERE c.oid >= 16384
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_range AS r WHERE r.rngtypid = c.castsource AND r.rngmultitypid = c.casttarget) --@ 14+
ORDER BY c.castsource, c.casttarget
