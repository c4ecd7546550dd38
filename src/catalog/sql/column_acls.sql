-- Privileges of single columns, those of system columns and of the system's tables too. In two parts, so that most of the many columns are passed by without a join.
SELECT a.attrelid
     , a.attname
     , a.attacl
     , i.privtype
     , i.initprivs
     , a.attnum
FROM pg_catalog.pg_attribute AS a
LEFT JOIN pg_catalog.pg_init_privs AS i ON i.classoid = 1259 AND i.objoid = a.attrelid AND i.objsubid = a.attnum
WHERE a.attacl IS NOT NULL AND NOT a.attisdropped
UNION ALL
SELECT a.attrelid, a.attname, a.attacl, i.privtype, i.initprivs, a.attnum
FROM pg_catalog.pg_init_privs AS i
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.objoid AND a.attnum = i.objsubid
WHERE i.classoid = 1259 AND i.objsubid <> 0 AND a.attacl IS NULL AND NOT a.attisdropped
ORDER BY attrelid, attnum
