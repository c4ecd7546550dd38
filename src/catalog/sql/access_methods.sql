-- All of them: operator classes and families sort by their names.
SELECT a.oid,
       a.amname AS name,
       a.amtype,
       a.amhandler
FROM pg_catalog.pg_am a
