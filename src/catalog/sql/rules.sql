-- All rules, since the order of other objects may hang on them; their definitions where they may be dumped. A view's ON SELECT rule is its query, which the reader of views has.
SELECT r.oid, r.rulename, r.ev_class, r.ev_type, r.is_instead, r.ev_enabled
, CASE WHEN src.relation IS NOT NULL AND NOT (r.ev_type = '1' AND r.is_instead AND c.relkind IN ('v', 'm')) THEN pg_get_ruledef(r.oid) END AS definition
FROM pg_rewrite r
JOIN pg_class c ON c.oid = r.ev_class
LEFT JOIN unnest(:chosen) AS src(relation) ON src.relation = r.ev_class
ORDER BY r.oid
