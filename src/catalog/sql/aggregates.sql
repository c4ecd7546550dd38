-- Aggregates, chosen as functions are. The options are ready to be written; NULL is what is left out.
WITH chosen AS MATERIALIZED (
    SELECT p.oid
         , CASE WHEN e.objid IS NULL THEN p.pronamespace = ANY (:schemas) ELSE :upgrade END AS defined
         , CASE WHEN e.objid IS NULL THEN p.pronamespace = ANY (:schemas) ELSE :upgrade END
           OR p.proacl IS NOT NULL OR initial.initprivs IS NOT NULL AS named
    FROM pg_catalog.pg_proc AS p
    LEFT JOIN pg_catalog.pg_init_privs AS initial ON initial.objoid = p.oid AND initial.classoid = 1255 AND initial.objsubid = 0
    LEFT JOIN pg_catalog.pg_depend AS e ON e.classid = 1255 AND e.objid = p.oid AND e.objsubid = 0 AND e.refclassid = 3079 AND e.deptype = 'e'
    WHERE p.prokind = 'a'
      AND (p.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace
           OR p.proacl IS DISTINCT FROM initial.initprivs
           OR (:upgrade AND e.objid IS NOT NULL))
)
SELECT p.oid
     , p.proname AS name
     , p.pronamespace AS schema
     , p.proowner AS owner
     , p.proargtypes
     , p.proacl AS acl
     , pg_catalog.acldefault('f', p.proowner) AS default_acl
     , CASE WHEN c.named THEN pg_catalog.pg_get_function_identity_arguments(p.oid) END AS identity_arguments
     , c.defined
     , CASE WHEN c.defined THEN pg_catalog.pg_get_function_arguments(p.oid) END AS arguments
     , a.aggtransfn
     , pg_catalog.format_type(a.aggtranstype, NULL) AS state_type
     , NULLIF(a.aggtransspace, 0) AS state_space
     , a.agginitval
     , NULLIF(a.aggfinalfn::pg_catalog.text, '-') AS aggfinalfn
     , CASE WHEN a.aggfinalfn <> 0 AND a.aggfinalextra THEN '' END AS final_extra
     , CASE WHEN a.aggfinalfn <> 0 AND a.aggfinalmodify <> CASE a.aggkind WHEN 'n' THEN 'r' ELSE 'w' END::"char"
            THEN CASE a.aggfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' WHEN 'w' THEN 'READ_WRITE' END END AS final_modify
     , NULLIF(a.aggcombinefn::pg_catalog.text, '-') AS aggcombinefn
     , NULLIF(a.aggserialfn::pg_catalog.text, '-') AS aggserialfn
     , NULLIF(a.aggdeserialfn::pg_catalog.text, '-') AS aggdeserialfn
     , CASE WHEN a.aggmtransfn <> 0 THEN a.aggmtransfn END AS aggmtransfn
     , CASE WHEN a.aggmtransfn <> 0 THEN a.aggminvtransfn END AS aggminvtransfn
     , CASE WHEN a.aggmtransfn <> 0 THEN a.aggmtranstype::pg_catalog.regtype END AS moving_type
     , NULLIF(a.aggmtransspace, 0) AS moving_space
     , a.aggminitval
     , NULLIF(a.aggmfinalfn::pg_catalog.text, '-') AS aggmfinalfn
     , CASE WHEN a.aggmfinalfn <> 0 AND a.aggmfinalextra THEN '' END AS moving_final_extra
     , CASE WHEN a.aggmfinalfn <> 0 AND a.aggmfinalmodify <> CASE a.aggkind WHEN 'n' THEN 'r' ELSE 'w' END::"char"
            THEN CASE a.aggmfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' WHEN 'w' THEN 'READ_WRITE' END END AS moving_final_modify
     , (SELECT 'OPERATOR(' || pg_catalog.quote_ident(n.nspname) || '.' || o.oprname || ')'
        FROM pg_catalog.pg_operator AS o JOIN pg_catalog.pg_namespace AS n ON n.oid = o.oprnamespace
        WHERE o.oid = a.aggsortop) AS sort_operator
     , CASE WHEN a.aggkind = 'h' THEN '' END AS hypothetical
     , CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' END AS parallel
FROM chosen AS c
JOIN pg_catalog.pg_proc AS p ON p.oid = c.oid
JOIN pg_catalog.pg_aggregate AS a ON a.aggfnoid = p.oid
ORDER BY p.oid
