-- Triggers of users; those of a partition that come from its parent's only where one was switched on or off by itself.
-- pretty = false: with pretty, WHEN may lose parentheses that a newer server wants.
SELECT t.oid, t.tgrelid, t.tgname, t.tgenabled, pg_get_triggerdef(t.oid, false) AS definition
, t.tgparentid <> 0 AS from_parent                       --@ 15+
, t.tgisinternal AS from_parent                          --@ 14-
FROM unnest(:chosen) AS src(relation)
JOIN pg_trigger t ON t.tgrelid = src.relation
LEFT JOIN pg_trigger parent ON parent.oid = t.tgparentid --@ 13+
LEFT JOIN pg_depend d ON d.classid = 'pg_trigger'::regclass AND d.refclassid = 'pg_trigger'::regclass AND d.objid = t.oid --@ 12-
LEFT JOIN pg_trigger parent ON parent.oid = d.refobjid   --@ 12-
WHERE ((NOT t.tgisinternal AND t.tgparentid = 0)         --@ 15+
WHERE (NOT t.tgisinternal                                --@ 14-
   OR t.tgenabled <> parent.tgenabled)
ORDER BY t.tgrelid, t.tgname
