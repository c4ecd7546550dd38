-- In a transaction that is rolled back: what the event triggers tell stays in it, in a table of the session.
CREATE TEMP TABLE pgconvoy_tried (place serial, message text) ON COMMIT DROP;
GRANT ALL ON pg_temp.pgconvoy_tried, pg_temp.pgconvoy_tried_place_seq TO PUBLIC;
CREATE OR REPLACE FUNCTION pgconvoy.ddl_write(message json) RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $f$
INSERT INTO pg_temp.pgconvoy_tried (message) SELECT json_build_object('key', key, 'ddl', $1)::text FROM pgconvoy.ddl_key
$f$;
RESET search_path;
RESET DateStyle;
RESET IntervalStyle;
RESET TimeZone;
