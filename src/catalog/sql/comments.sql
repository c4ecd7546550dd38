SELECT classoid, objoid, objsubid, description AS text
FROM pg_catalog.pg_description
ORDER BY classoid, objoid, objsubid
