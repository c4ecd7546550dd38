SELECT p.oid, p.pubname, p.pubowner, p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate
, p.pubviaroot                                           --@ 13+
, p.pubgencols                                           --@ 18+
FROM pg_publication p
