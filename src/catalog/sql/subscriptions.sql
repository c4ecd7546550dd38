-- Subscriptions of this database; only a superuser may see the connection. subskiplsn is left out: it would mean nothing in the restored database.
SELECT s.oid, s.subname, s.subowner, s.subenabled, s.subconninfo, s.subslotname, s.subsynccommit, s.subpublications
, s.subbinary, s.substream                               --@ 14+
, s.subtwophasestate, s.subdisableonerr                  --@ 15+
, s.subpasswordrequired, s.subrunasowner, s.suborigin    --@ 16+
, s.subfailover, o.remote_lsn                            --@ 17+
FROM pg_subscription s
LEFT JOIN pg_replication_origin_status o ON :upgrade AND o.external_id = 'pg_' || s.oid::text --@ 17+
WHERE s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
ORDER BY s.oid
