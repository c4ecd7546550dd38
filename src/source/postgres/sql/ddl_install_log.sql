-- Servers before 14 send no messages: there what would be one is a row of a table, with a publication of its own beside that of each pipeline.
-- The stream needs the row's place in the WAL alone, so it is deleted where it was written and the table stays empty.
CREATE TABLE IF NOT EXISTS pgconvoy.ddl_log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, message text NOT NULL);
-- From where on the publication can be decoded with.
CREATE TABLE IF NOT EXISTS pgconvoy.ddl_published (since pg_lsn NOT NULL);
REVOKE ALL ON pgconvoy.ddl_log, pgconvoy.ddl_published FROM PUBLIC;

CREATE OR REPLACE FUNCTION pgconvoy.ddl_write(message json) RETURNS void LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  written bigint;
BEGIN
  INSERT INTO pgconvoy.ddl_log (message) SELECT json_build_object('key', key, 'ddl', $1)::text FROM pgconvoy.ddl_key RETURNING id INTO written;
  DELETE FROM pgconvoy.ddl_log WHERE id = written;
END
$f$;
COMMENT ON FUNCTION pgconvoy.ddl_seen() IS 'pgconvoy ddl 7, by a table';

DO $do$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = 'pgconvoy.ddl') THEN
    CREATE PUBLICATION "pgconvoy.ddl" FOR TABLE pgconvoy.ddl_log WITH (publish = 'insert');
    DELETE FROM pgconvoy.ddl_published;
  END IF;
END
$do$;
