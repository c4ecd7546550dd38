SELECT classoid, objoid, objsubid, provider, label AS text
FROM pg_catalog.pg_seclabel
UNION ALL
SELECT classoid, objoid, 0, provider, label
FROM pg_catalog.pg_shseclabel
ORDER BY classoid, objoid, objsubid, provider
