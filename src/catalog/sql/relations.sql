-- All relations that have columns, the system's own too: a table may inherit from one of those. Nothing here looks at anything that only a lock would keep from changing.
SELECT c.oid
     , c.relname
     , c.relnamespace
     , c.relkind
     , c.reltype
     , c.relowner
     , c.relchecks
     , c.relhasindex
     , c.relhasrules
     , c.relhastriggers
     , c.relpages
     , c.reltuples
     , c.relpersistence
     , c.relispopulated
     , c.relreplident
     , c.relrowsecurity
     , c.relforcerowsecurity
     , c.relispartition
     , c.reloftype
     , c.relfrozenxid
     , c.relminmxid
     , c.relacl
     , pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, c.relowner) AS acldefault
     , pg_catalog.array_remove(pg_catalog.array_remove(c.reloptions, 'check_option=local'), 'check_option=cascaded') AS reloptions
     , CASE WHEN 'check_option=local' = ANY (c.reloptions) THEN 'LOCAL'
            WHEN 'check_option=cascaded' = ANY (c.reloptions) THEN 'CASCADED' END AS check_option
     , tablespace.spcname AS tablespace
     , am.amname AS access_method
     , toast.oid AS toast_oid
     , toast.relpages AS toast_pages
     , toast.reloptions AS toast_options
     , toast.relfrozenxid AS toast_frozenxid
     , toast.relminmxid AS toast_minmxid
     , owned.refobjid AS owning_table
     , owned.refobjsubid AS owning_column
     , owned.deptype = 'i' AS is_identity
     , f.ftserver AS foreign_server
FROM pg_catalog.pg_class AS c
LEFT JOIN pg_catalog.pg_tablespace AS tablespace ON tablespace.oid = c.reltablespace
LEFT JOIN pg_catalog.pg_am AS am ON am.oid = c.relam
LEFT JOIN pg_catalog.pg_class AS toast ON toast.oid = c.reltoastrelid AND toast.relkind = 't' AND c.relkind <> 'p'
LEFT JOIN pg_catalog.pg_foreign_table AS f ON f.ftrelid = c.oid
LEFT JOIN pg_catalog.pg_depend AS owned
       ON c.relkind = 'S' AND owned.classid = 1259 AND owned.objid = c.oid AND owned.objsubid = 0
      AND owned.refclassid = 1259 AND owned.deptype IN ('a', 'i')
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
ORDER BY c.oid
