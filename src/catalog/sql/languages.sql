SELECT l.oid
     , l.lanname
     , l.lanowner
     , l.lanpltrusted
     , l.lanplcallfoid
     , l.laninline
     , l.lanvalidator
     , l.lanacl
     , pg_catalog.acldefault('l', l.lanowner) AS acldefault
FROM pg_catalog.pg_language AS l
WHERE l.lanispl
ORDER BY l.oid
