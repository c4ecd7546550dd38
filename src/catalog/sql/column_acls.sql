-- Privileges of single columns, those of system columns and of the system's tables too.
SELECT a.attrelid
     , a.attname
     , a.attacl
     , i.privtype
     , i.initprivs
FROM pg_catalog.pg_attribute AS a
LEFT JOIN pg_catalog.pg_init_privs AS i ON i.classoid = 1259 AND i.objoid = a.attrelid AND i.objsubid = a.attnum
WHERE (a.attacl IS NOT NULL OR i.initprivs IS NOT NULL) AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
