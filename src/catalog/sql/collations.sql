-- Before version 15 an ICU collation had its locale in collcollate and collctype, and an empty name stood for none.
SELECT c.oid,
       c.collname AS name,
       c.collnamespace AS schema,
       c.collowner AS owner,
       c.collencoding,
       c.collprovider,
       c.collisdeterministic,
       c.collversion,
       c.collcollate AS collate,                                                     --@ 15+
       c.collctype AS ctype,                                                         --@ 15+
       CASE WHEN c.collprovider <> 'i' THEN NULLIF(c.collcollate, '') END AS collate, --@ 14-
       CASE WHEN c.collprovider <> 'i' THEN NULLIF(c.collctype, '') END AS ctype,     --@ 14-
       CASE WHEN c.collprovider = 'i' THEN NULLIF(c.collcollate, '') END AS locale    --@ 14-
       c.colliculocale AS locale                                                     --@ 15-16
       c.colllocale AS locale                                                        --@ 17+
       , c.collicurules AS rules                                                     --@ 16+
FROM pg_catalog.pg_collation c
