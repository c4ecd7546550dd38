SELECT e.oid, e.evtname, e.evtevent, e.evtowner, e.evtenabled, e.evtfoid::regproc AS function
, array_to_string(ARRAY(SELECT quote_literal(tag) FROM unnest(e.evttags) AS t(tag)), ', ') AS tags
FROM pg_event_trigger e
ORDER BY e.oid
