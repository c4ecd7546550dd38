SELECT classoid, objoid, objsubid, privtype, initprivs
FROM pg_catalog.pg_init_privs
