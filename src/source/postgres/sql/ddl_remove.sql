-- All of it, once no pipeline needs it. The schema may hold what is somebody else's, a target's checkpoint say, and stays then.
DROP EVENT TRIGGER IF EXISTS pgconvoy_ddl_end;
DROP EVENT TRIGGER IF EXISTS pgconvoy_ddl_drop;
DROP EVENT TRIGGER IF EXISTS pgconvoy_ddl_rewrite;
DROP FUNCTION IF EXISTS pgconvoy.ddl_seen();
DROP FUNCTION IF EXISTS pgconvoy.ddl_send(text, text, text, text, text, json);
DROP FUNCTION IF EXISTS pgconvoy.ddl_attached(oid);
DROP FUNCTION IF EXISTS pgconvoy.ddl_truncated(oid, oid, boolean);
DROP FUNCTION IF EXISTS pgconvoy.ddl_text(text, text);
DROP FUNCTION IF EXISTS pgconvoy.ddl_nth(text);
DROP FUNCTION IF EXISTS pgconvoy.ddl_is_local(oid, oid, text, text);
DROP FUNCTION IF EXISTS pgconvoy.ddl_write(json);
DROP FUNCTION IF EXISTS pgconvoy.ddl_definition(oid, oid, text);
DROP FUNCTION IF EXISTS pgconvoy.ddl_table(oid);
DROP FUNCTION IF EXISTS pgconvoy.ddl_table_of(oid, oid);
DROP PUBLICATION IF EXISTS "pgconvoy.ddl";
DROP TABLE IF EXISTS pgconvoy.ddl_emptied, pgconvoy.ddl_key, pgconvoy.ddl_pipeline, pgconvoy.ddl_log, pgconvoy.ddl_published;
DO $$ BEGIN DROP SCHEMA IF EXISTS pgconvoy; EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN NULL; END $$;
