-- Functions, procedures and window functions. Left out are those that come with something else (constructors of ranges) and the system's own, unless a cast or a transform of the user's calls them,
-- their privileges were changed, or an extension made them. What a definition needs is only computed where one is written: an extension may have thousands.
WITH chosen AS MATERIALIZED (
    SELECT p.oid
         , CASE WHEN e.objid IS NULL THEN p.pronamespace = ANY (:schemas) ELSE :upgrade END AS defined
         , CASE WHEN e.objid IS NULL THEN p.pronamespace = ANY (:schemas) ELSE :upgrade END
           OR p.proacl IS NOT NULL OR initial.initprivs IS NOT NULL AS named
    FROM pg_catalog.pg_proc AS p
    LEFT JOIN pg_catalog.pg_init_privs AS initial ON initial.objoid = p.oid AND initial.classoid = 1255 AND initial.objsubid = 0
    LEFT JOIN pg_catalog.pg_depend AS e ON e.classid = 1255 AND e.objid = p.oid AND e.objsubid = 0 AND e.refclassid = 3079 AND e.deptype = 'e'
    WHERE p.prokind <> 'a'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS i WHERE i.classid = 1255 AND i.objid = p.oid AND i.deptype = 'i')
      AND (p.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace
           OR p.proacl IS DISTINCT FROM initial.initprivs
           OR (:upgrade AND e.objid IS NOT NULL)
           OR p.oid IN (SELECT castfunc FROM pg_catalog.pg_cast WHERE oid >= 16384)
           OR p.oid IN (SELECT trffromsql FROM pg_catalog.pg_transform WHERE oid >= 16384)
           OR p.oid IN (SELECT trftosql FROM pg_catalog.pg_transform WHERE oid >= 16384))
)
SELECT p.oid
     , p.proname AS name
     , p.pronamespace AS schema
     , p.proowner AS owner
     , p.prolang
     , p.proargtypes
     , p.prorettype
     , p.prokind
     , p.proacl AS acl
     , pg_catalog.acldefault('f', p.proowner) AS default_acl
     , CASE WHEN c.named THEN pg_catalog.pg_get_function_identity_arguments(p.oid) END AS identity_arguments
     , c.defined
     , CASE WHEN c.defined THEN pg_catalog.pg_get_function_arguments(p.oid) END AS arguments
     , CASE WHEN c.defined AND p.prokind <> 'p' THEN pg_catalog.pg_get_function_result(p.oid) END AS result
     , l.lanname
     , CASE WHEN c.defined AND p.protrftypes IS NOT NULL
            THEN (SELECT pg_catalog.string_agg('FOR TYPE ' || pg_catalog.format_type(f.oid, NULL), ', ' ORDER BY f.place)
                  FROM pg_catalog.unnest(p.protrftypes) WITH ORDINALITY AS f (oid, place)) END AS transforms
     , p.provolatile
     , p.proisstrict
     , p.prosecdef
     , p.proleakproof
     , CASE WHEN p.procost <> 0 AND p.procost <> CASE WHEN l.lanname IN ('internal', 'c') THEN 1 ELSE 100 END THEN p.procost END AS cost
     , CASE WHEN p.proretset AND p.prorows <> 0 AND p.prorows <> 1000 THEN p.prorows END AS rows
     , CASE WHEN p.prosupport <> 0 THEN p.prosupport END AS support
     , p.proparallel
     , CASE WHEN c.defined THEN p.proconfig END AS proconfig
     , CASE WHEN c.defined THEN pg_catalog.pg_get_function_sqlbody(p.oid) END AS body --@ 14+
     , CASE WHEN c.defined THEN p.prosrc END AS prosrc
     , CASE WHEN c.defined THEN p.probin END AS probin
FROM chosen AS c
JOIN pg_catalog.pg_proc AS p ON p.oid = c.oid
JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
ORDER BY p.oid
