-- What anybody may know of subscriptions: whether there are any.
SELECT count(*) FROM pg_subscription s
WHERE s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
