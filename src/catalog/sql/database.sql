-- settings: ALTER DATABASE … SET; role_names and role_settings: ALTER ROLE … IN DATABASE … SET, one element for each setting,
-- in no particular order, which is pg_dump's
SELECT d.oid,
       d.datname,
       d.datdba,
       pg_encoding_to_char(d.encoding) AS encoding,
       d.datlocprovider,                  --@ 15+
       d.datcollate,
       d.datctype,
       d.datlocale AS locale,             --@ 17+
       d.daticulocale AS locale,          --@ 15-16
       d.daticurules,                     --@ 16+
       d.datcollversion,                  --@ 15+
       d.datfrozenxid,
       d.datminmxid,
       d.datacl,
       acldefault('d', d.datdba) AS default_acl,
       d.datistemplate,
       d.datconnlimit,
       (SELECT t.spcname FROM pg_catalog.pg_tablespace t WHERE t.oid = d.dattablespace) AS tablespace,
       shobj_description(d.oid, 'pg_database') AS description,
       l.providers,
       l.labels,
       s.settings,
       r.role_names,
       r.role_settings,
       o.relfrozenxid AS lo_frozen_xid,
       o.relminmxid AS lo_min_multixid,
       o.relfilenode AS lo_file,
       i.relfrozenxid AS lo_index_frozen_xid,
       i.relminmxid AS lo_index_min_multixid,
       i.relfilenode AS lo_index_file,
       i.ctid < o.ctid AS lo_index_first
FROM pg_catalog.pg_database d
     CROSS JOIN LATERAL (SELECT array_agg(x.provider ORDER BY x.provider) AS providers,
                                array_agg(x.label ORDER BY x.provider) AS labels
                         FROM pg_catalog.pg_shseclabel x
                         WHERE x.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass
                           AND x.objoid = d.oid) l
     LEFT JOIN LATERAL (SELECT x.setconfig AS settings
                        FROM pg_catalog.pg_db_role_setting x
                        WHERE x.setdatabase = d.oid
                          AND x.setrole = 0) s ON true
     CROSS JOIN LATERAL (SELECT array_agg(a.rolname) AS role_names,
                                array_agg(a.setting) AS role_settings
                         FROM (SELECT r.rolname, unnest(x.setconfig) AS setting
                               FROM pg_catalog.pg_db_role_setting x, pg_catalog.pg_roles r
                               WHERE x.setrole = r.oid
                                 AND x.setdatabase = d.oid) a) r
     CROSS JOIN pg_catalog.pg_class o
     CROSS JOIN pg_catalog.pg_class i
WHERE d.datname = current_database()
  AND o.oid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass
  AND i.oid = 'pg_catalog.pg_largeobject_loid_pn_index'::pg_catalog.regclass
