SELECT r.srsubid, r.srrelid, r.srsubstate, r.srsublsn
FROM pg_subscription_rel r
ORDER BY r.srsubid
