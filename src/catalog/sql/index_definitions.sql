-- The definitions of those indexes that cannot be written from what is known of their columns.
SELECT i.oid, pg_get_indexdef(i.oid) AS definition
FROM unnest(:indexes) AS i(oid)
