-- All of it, once no pipeline needs it. The schema may hold what is somebody else's, a target's checkpoint say, and stays then.
DROP EVENT TRIGGER IF EXISTS pgconvoy_ddl_end;
DROP EVENT TRIGGER IF EXISTS pgconvoy_ddl_drop;
DROP EVENT TRIGGER IF EXISTS pgconvoy_ddl_rewrite;
DROP FUNCTION IF EXISTS pgconvoy.ddl_seen();
DROP FUNCTION IF EXISTS pgconvoy.ddl_send(text, text, text, text, text, json);
DROP FUNCTION IF EXISTS pgconvoy.ddl_keep_identity(oid, boolean);
DROP FUNCTION IF EXISTS pgconvoy.ddl_attached(oid);
DROP FUNCTION IF EXISTS pgconvoy.ddl_truncated(oid, oid, boolean);
DROP FUNCTION IF EXISTS pgconvoy.ddl_text(text, text);
DROP FUNCTION IF EXISTS pgconvoy.ddl_nth(text);
DROP FUNCTION IF EXISTS pgconvoy.ddl_is_local(oid, oid, text, text);
DROP FUNCTION IF EXISTS pgconvoy.ddl_write(json);
DROP FUNCTION IF EXISTS pgconvoy.ddl_definition(oid, oid, text);
DROP FUNCTION IF EXISTS pgconvoy.ddl_table(oid);
DROP FUNCTION IF EXISTS pgconvoy.ddl_table_of(oid, oid);
-- What was given REPLICA IDENTITY FULL for want of a key; a table that is locked for long keeps it.
DO $do$
DECLARE
  relation regclass;
BEGIN
  IF to_regclass('pgconvoy.ddl_full') IS NULL THEN
    RETURN;
  END IF;
  SET LOCAL lock_timeout = '3s';
  FOR relation IN SELECT c.oid FROM pgconvoy.ddl_full f JOIN pg_catalog.pg_class c ON c.oid = f.relation AND c.relreplident = 'f' LOOP
    BEGIN
      EXECUTE pg_catalog.format('ALTER TABLE ONLY %s REPLICA IDENTITY DEFAULT', relation);
    EXCEPTION WHEN OTHERS THEN
      RAISE WARNING '% keeps REPLICA IDENTITY FULL, which it was given for want of a key: %', relation, SQLERRM;
    END;
  END LOOP;
END
$do$;
DROP PUBLICATION IF EXISTS "pgconvoy.ddl";
DROP TABLE IF EXISTS pgconvoy.ddl_emptied, pgconvoy.ddl_full, pgconvoy.ddl_key, pgconvoy.ddl_pipeline, pgconvoy.ddl_log, pgconvoy.ddl_published;
DO $$ BEGIN DROP SCHEMA IF EXISTS pgconvoy; EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN NULL; END $$;
