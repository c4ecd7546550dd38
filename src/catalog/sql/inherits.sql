-- Which table inherits from which, or is a partition of which.
SELECT inhrelid, inhparent
FROM pg_catalog.pg_inherits
ORDER BY inhrelid, inhseqno
