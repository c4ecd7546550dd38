-- Event triggers that tell of each change of a definition, in its place in the WAL. What everybody may call captures the session's
-- settings and nothing more; what runs with the owner's rights has a search_path of its own. The key keeps messages apart from those
-- that any role may write with pg_logical_emit_message.
CREATE SCHEMA IF NOT EXISTS pgconvoy;
GRANT USAGE ON SCHEMA pgconvoy TO PUBLIC;
CREATE TABLE IF NOT EXISTS pgconvoy.ddl_key (key text NOT NULL);
CREATE TABLE IF NOT EXISTS pgconvoy.ddl_pipeline (name text PRIMARY KEY);
REVOKE ALL ON pgconvoy.ddl_key, pgconvoy.ddl_pipeline FROM PUBLIC;
INSERT INTO pgconvoy.ddl_key SELECT pg_catalog.md5(pg_catalog.random()::text || pg_catalog.clock_timestamp()::text || pg_catalog.random()::text || pg_catalog.pg_backend_pid()::text)
  WHERE NOT EXISTS (SELECT FROM pgconvoy.ddl_key);

-- A table as a reader of its rows must know it.
CREATE OR REPLACE FUNCTION pgconvoy.ddl_table(relation oid) RETURNS json LANGUAGE sql STABLE
  SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO, MDY' SET IntervalStyle = postgres SET TimeZone = 'UTC'
  SET bytea_output = hex SET extra_float_digits = 1 AS $f$
SELECT json_build_object('oid', c.oid::bigint, 'schema', n.nspname, 'name', c.relname, 'kind', c.relkind, 'partition', c.relispartition,
  'identity', c.relreplident,
  'columns', (SELECT json_agg(json_build_object('number', a.attnum, 'name', a.attname, 'type', a.atttypid::bigint, 'typmod', a.atttypmod,
      'sql', format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull, 'default', pg_get_expr(d.adbin, d.adrelid),
      'generated', a.attgenerated <> '', 'counted', a.attidentity <> '',
      'missing', CASE WHEN c.relkind = 'p' THEN (SELECT (l.attmissingval::text::text[])[1] FROM pg_partition_tree(c.oid) t JOIN pg_attribute l ON l.attrelid = t.relid
        AND l.attname = a.attname AND l.atthasmissing WHERE t.isleaf LIMIT 1) ELSE (a.attmissingval::text::text[])[1] END) ORDER BY a.attnum)
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  'primary', (SELECT json_agg(k.n ORDER BY k.place) FROM pg_index i, unnest(i.indkey::smallint[]) WITH ORDINALITY k (n, place)
    WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND k.place <= i.indnkeyatts),
  'immediate', (SELECT i.indimmediate FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid),
  'replica', (SELECT json_agg(k.n ORDER BY k.place) FROM pg_index i, unnest(i.indkey::smallint[]) WITH ORDINALITY k (n, place)
    WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisvalid AND k.place <= i.indnkeyatts))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation
$f$;

-- SQL that makes the object, for commands whose own text cannot be known.
CREATE OR REPLACE FUNCTION pgconvoy.ddl_definition(class oid, object oid, identity text) RETURNS text LANGUAGE sql STABLE
  SET search_path = pg_catalog, pg_temp AS $f$
SELECT CASE class
  WHEN 'pg_class'::regclass THEN (SELECT CASE
      WHEN relkind IN ('i', 'I') THEN pg_get_indexdef(object)
      WHEN relkind = 'v' THEN 'CREATE OR REPLACE VIEW ' || identity || ' AS ' || rtrim(pg_get_viewdef(object), ';')
      WHEN relkind = 'm' THEN 'CREATE MATERIALIZED VIEW ' || identity || ' AS ' || rtrim(pg_get_viewdef(object), ';')
      WHEN relkind = 'S' THEN 'CREATE SEQUENCE ' || identity
      WHEN relkind = 'r' AND NOT relispartition THEN 'CREATE TABLE ' || identity || ' (' || coalesce((SELECT string_agg(
        quote_ident(attname) || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END, ', ' ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = object AND attnum > 0 AND NOT attisdropped), '') || ')' END
    FROM pg_class WHERE oid = object)
  WHEN 'pg_proc'::regclass THEN (SELECT pg_get_functiondef(object) FROM pg_proc WHERE oid = object AND prokind IN ('f', 'p', 'w'))
  WHEN 'pg_trigger'::regclass THEN pg_get_triggerdef(object)
  WHEN 'pg_rewrite'::regclass THEN (SELECT rtrim(pg_get_ruledef(object), ';') WHERE identity NOT LIKE '"\_RETURN"%')
  WHEN 'pg_constraint'::regclass THEN (SELECT 'ALTER TABLE ' || conrelid::regclass || ' ADD CONSTRAINT ' || quote_ident(conname) || ' ' || pg_get_constraintdef(oid)
    FROM pg_constraint WHERE oid = object AND conrelid <> 0)
  WHEN 'pg_namespace'::regclass THEN 'CREATE SCHEMA ' || identity
  END
$f$;

-- Decoding takes the end of a message's record for its place, which is where the next record starts: of the two, when they are of
-- different subtransactions, either may come first. So a second message, that says nothing, stands between them.
CREATE OR REPLACE FUNCTION pgconvoy.ddl_write(message json) RETURNS void LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  PERFORM pg_logical_emit_message(true, 'pgconvoy.ddl', (SELECT json_build_object('key', key, 'ddl', message)::text FROM pgconvoy.ddl_key));
  PERFORM pg_logical_emit_message(true, 'pgconvoy', '');
END
$f$;

-- The command's text: the whole query where it was sent by a client, and what PL/pgSQL ran where the stack names it.
CREATE OR REPLACE FUNCTION pgconvoy.ddl_text(stack text, query text, OUT body text, OUT nested boolean) LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  at int := position(E'\n' in stack);
  stop int;
BEGIN
  nested := at > 0;
  body := CASE WHEN NOT nested THEN query END;
  IF nested AND substr(stack, at + 1, 15) = 'SQL statement "' THEN
    body := substr(stack, at + 16);
    stop := position(E'"\nPL/pgSQL ' in body || E'\nPL/pgSQL ');
    stop := least(stop, nullif(position(E'"\nSQL ' in body || E'\nSQL '), 0));
    body := substr(body, 1, stop - 1);
  END IF;
END
$f$;

-- Which command of its tag it is in a query of several: what ROLLBACK undoes is not counted, as a setting goes with its transaction.
CREATE OR REPLACE FUNCTION pgconvoy.ddl_nth(tag text) RETURNS int LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  name text := 'pgconvoy.nth_' || replace(lower(regexp_replace(tag, ' AS$', '')), ' ', '_');
  query text := (extract(epoch FROM statement_timestamp()) * 1000000)::bigint::text;
  had text := current_setting(name, true);
  nth int := 1 + CASE WHEN split_part(had, ' ', 1) = query THEN split_part(had, ' ', 2)::int ELSE 0 END;
BEGIN
  PERFORM set_config(name, query || ' ' || nth, false);
  RETURN nth;
END
$f$;

-- Partitions that this transaction has attached with rows in them: nothing has told of these rows under the parent's name. A row of pg_inherits
-- that can be seen and is of a transaction in progress is of this one, or of a subtransaction of it, which has a later number. One that was
-- frozen keeps a number of long ago, which may look like one to come.
CREATE OR REPLACE FUNCTION pgconvoy.ddl_attached(relation oid) RETURNS TABLE (parent oid, child oid) LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp SET row_security = off AS $f$
DECLARE
  own bigint := txid_current();
  later bigint;
  leaf regclass;
  ours bool;
  filled bool;
BEGIN
  FOR parent, child, later IN SELECT i.inhparent, i.inhrelid, (i.xmin::text::bigint - own % 4294967296 + 4294967296) % 4294967296
    FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent AND p.relkind = 'p' WHERE i.inhparent = relation
  LOOP
    CONTINUE WHEN later >= 2147483648;
    BEGIN
      ours := txid_status(own + later) = 'in progress';
    EXCEPTION WHEN OTHERS THEN
      ours := false; -- none of today's
    END;
    CONTINUE WHEN ours IS NOT TRUE;
    FOR leaf IN SELECT t.relid FROM pg_partition_tree(child) t JOIN pg_class l ON l.oid = t.relid AND l.relkind = 'r' LOOP
      BEGIN
        EXECUTE format('SELECT EXISTS (SELECT FROM ONLY %s)', leaf) INTO filled;
      EXCEPTION WHEN OTHERS THEN
        filled := true; -- not to be seen by us: better once too often
      END;
      IF filled THEN
        RETURN NEXT;
        EXIT;
      END IF;
    END LOOP;
  END LOOP;
END
$f$;

-- What is of this server alone: our own, a session's own, and what pg_repack makes for the time of its work. That is its schema, the trigger that
-- fills its log, and an index beside each one it renews, named by that one's oid.
CREATE OR REPLACE FUNCTION pgconvoy.ddl_is_local(class oid, object oid, schema text, body text) RETURNS boolean LANGUAGE sql STABLE
  SET search_path = pg_catalog, pg_temp AS $f$
SELECT coalesce(schema IN ('pg_temp', 'pgconvoy'), false) OR EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_repack') AND (
  coalesce(schema = 'repack', false) OR CASE class
  WHEN 'pg_trigger'::regclass THEN EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE t.oid = object AND n.nspname = 'repack')
  WHEN 'pg_class'::regclass THEN coalesce(body ~ 'ENABLE ALWAYS TRIGGER repack_trigger *;?$', false) OR EXISTS (SELECT FROM pg_class c JOIN pg_index i
    ON i.indexrelid = c.oid JOIN pg_index o ON o.indrelid = i.indrelid AND c.relname = 'index_' || o.indexrelid WHERE c.oid = object)
  ELSE false END)
$f$;

-- A table of one of our publications that has lost what updates and deletes are told by, with a command that dropped columns or constraints of it: the
-- server would refuse them to its application, in the midst of a migration that gives it another key, say. Until it has one, whole rows tell it; what the
-- user has chosen since stays, and so does a table that never had a key. A partition of a table that whole rows tell has them told, too. Where that
-- would not do (a column list, from 18 on generated columns that are not sent), the command's session is told what will be refused.
CREATE TABLE IF NOT EXISTS pgconvoy.ddl_full (relation oid PRIMARY KEY);
REVOKE ALL ON pgconvoy.ddl_full FROM PUBLIC;
CREATE OR REPLACE FUNCTION pgconvoy.ddl_keep_identity(relation oid, dropped boolean) RETURNS void LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  had "char";
  has_key bool;
  made bool;
  whole bool; -- NULL: not published by us
  of_whole bool;
BEGIN
  SELECT c.relreplident, EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate AND
      CASE c.relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END), EXISTS (SELECT FROM pgconvoy.ddl_full f WHERE f.relation = c.oid),
      (SELECT bool_and(to_jsonb(r) ->> 'prattrs' IS NULL AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
        AND to_jsonb(p) ? 'pubgencols' AND a.attgenerated <> '' AND NOT (a.attgenerated = 's' AND to_jsonb(p) ->> 'pubgencols' = 's')))
      FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE (p.pubupdate OR p.pubdelete)
        AND r.prrelid IN (SELECT c.oid UNION SELECT t.relid FROM pg_partition_ancestors(c.oid) t)
        AND obj_description(p.oid, 'pg_publication') LIKE 'made by pgconvoy for pipeline %'),
      EXISTS (SELECT FROM pg_partition_ancestors(c.oid) t JOIN pg_class a ON a.oid = t.relid WHERE a.oid <> c.oid AND a.relreplident = 'f')
    INTO had, has_key, made, whole, of_whole FROM pg_class c WHERE c.oid = $1 AND c.relkind IN ('r', 'p');
  IF had IN ('d', 'i') AND NOT has_key AND NOT whole AND (dropped OR of_whole) THEN
    RAISE WARNING 'pgconvoy: % has no replica identity any more: the server refuses updates and deletes of it while it is published', $1::regclass
      USING HINT = 'Give it a primary key, or take it out of the publication.';
  ELSIF had IN ('d', 'i') AND NOT has_key AND whole AND (dropped OR of_whole) THEN
    EXECUTE format('ALTER TABLE ONLY %s REPLICA IDENTITY FULL', $1::regclass);
    INSERT INTO pgconvoy.ddl_full VALUES ($1) ON CONFLICT DO NOTHING;
    RAISE NOTICE 'pgconvoy: % has no key any more, and is replicated: until it has one, it has REPLICA IDENTITY FULL, without which updates would be refused', $1::regclass;
  ELSIF made AND had = 'f' AND (has_key OR whole IS NULL) THEN
    EXECUTE format('ALTER TABLE ONLY %s REPLICA IDENTITY DEFAULT', $1::regclass);
    DELETE FROM pgconvoy.ddl_full f WHERE f.relation = $1;
  ELSIF made AND had <> 'f' THEN
    DELETE FROM pgconvoy.ddl_full f WHERE f.relation = $1;
  END IF;
EXCEPTION WHEN OTHERS THEN
  RAISE WARNING 'pgconvoy: the replica identity of % cannot be altered: %', $1::regclass, SQLERRM;
END
$f$;

CREATE OR REPLACE FUNCTION pgconvoy.ddl_send(event text, tag text, stack text, query text, path text, settings json) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  text record;
  objects json;
  tables json;
  seen bigint;
  kept bigint;
  scripted bigint;
  nth int;
  had text;
  attached json;
  changed oid[];
  lost oid[]; -- what may have lost its key
  one oid;
  dropped bool;
BEGIN
  IF event = 'table_rewrite' THEN
    PERFORM pgconvoy.ddl_write(json_build_object('event', event, 'oid', pg_event_trigger_table_rewrite_oid()::bigint,
      'reason', pg_event_trigger_table_rewrite_reason()));
    RETURN;
  END IF;
  IF event = 'sql_drop' THEN
    SELECT json_agg(json_build_object('type', object_type, 'schema', schema_name, 'name', object_name, 'identity', object_identity,
        'oid', objid::bigint, 'original', original, 'table', CASE WHEN classid = 'pg_class'::regclass THEN objid::bigint END))
      INTO objects FROM pg_event_trigger_dropped_objects()
      WHERE NOT is_temporary AND NOT pgconvoy.ddl_is_local(0, 0, schema_name, NULL) AND (original OR object_type IN ('table', 'table column', 'partitioned table'));
    IF objects IS NOT NULL THEN
      PERFORM pgconvoy.ddl_write(json_build_object('event', event, 'objects', objects));
    END IF;
    -- what may have lost its key: kept for the command's end, which is told first
    PERFORM set_config('pgconvoy.ddl_lost', string_agg(o.oid::bigint::text, ' '), true) FROM (
      SELECT CASE object_type WHEN 'table column' THEN objid ELSE to_regclass(format('%I.%I', address_names[1], address_names[2]))::oid END
        FROM pg_event_trigger_dropped_objects() WHERE object_type IN ('table column', 'table constraint') AND NOT is_temporary
      UNION SELECT c.oid FROM pg_class c WHERE tag = 'DROP INDEX' AND c.relreplident = 'i' AND c.relkind IN ('r', 'p')
        AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident)) o (oid) WHERE oid IS NOT NULL HAVING count(*) > 0;
    RETURN;
  END IF;
  IF tag ~ '(SERVER|USER MAPPING|SUBSCRIPTION|PUBLICATION|EVENT TRIGGER)$' THEN
    RETURN; -- their texts may hold a password, and they are of this server alone
  END IF;
  text := pgconvoy.ddl_text(stack, query);
  SELECT count(*), count(*) FILTER (WHERE mine), count(*) FILTER (WHERE in_extension), json_agg(json_build_object('type', object_type, 'schema', schema_name,
      'identity', object_identity, 'oid', objid::bigint, 'table', relation,
      'name', CASE WHEN classid = 'pg_class'::regclass THEN (SELECT relname FROM pg_class WHERE oid = objid) END,
      'definition', CASE WHEN text.body IS NULL OR tag IN ('CREATE TABLE AS', 'SELECT INTO') THEN pgconvoy.ddl_definition(classid, objid, object_identity) END)) FILTER (WHERE mine)
    INTO seen, kept, scripted, objects
    FROM (SELECT *, NOT in_extension AND NOT pgconvoy.ddl_is_local(classid, objid, schema_name, text.body) AS mine,
      pgconvoy.ddl_table_of(classid, objid)::bigint AS relation FROM pg_event_trigger_ddl_commands()) c;
  -- what an extension's script does stands in no query
  IF NOT text.nested AND position(';' in rtrim(query, E'; \n\t')) > 0 AND (seen = 0 OR scripted < seen) THEN
    nth := pgconvoy.ddl_nth(tag);
  END IF;
  -- what was dropped is told by another event, and done with this one
  IF kept = 0 AND tag NOT LIKE 'DROP %' THEN
    RETURN;
  END IF;
  IF NOT text.nested AND length(text.body) > 2000 THEN
    had := md5(text.body);
    IF current_setting('pgconvoy.ddl_query', true) = had THEN
      text.body := NULL;
    ELSE
      PERFORM set_config('pgconvoy.ddl_query', had, true);
    END IF;
  END IF;
  IF kept > 0 AND tag <> 'COMMENT' AND tag NOT LIKE 'GRANT%' THEN
    WITH RECURSIVE relations (oid) AS (
      (SELECT pgconvoy.ddl_table_of(classid, objid) FROM pg_event_trigger_ddl_commands()
        WHERE NOT in_extension AND NOT pgconvoy.ddl_is_local(classid, objid, schema_name, text.body)
      UNION SELECT r.oid FROM pg_event_trigger_ddl_commands() JOIN pg_class r ON r.relnamespace = objid WHERE classid = 'pg_namespace'::regclass AND tag = 'ALTER SCHEMA')
      UNION SELECT inhrelid FROM pg_inherits JOIN relations ON inhparent = relations.oid WHERE tag = 'ALTER TABLE')
    SELECT json_agg(pgconvoy.ddl_table(c.oid)), array_agg(c.oid) INTO tables, changed FROM relations r JOIN pg_class c ON c.oid = r.oid
      WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't';
  END IF;
  IF tag = 'ALTER TABLE' AND (text.body IS NULL OR text.body ~* 'attach') THEN
    SELECT json_agg(json_build_object('root', pg_partition_root(a.parent)::oid::bigint, 'parent', a.parent::bigint, 'child', a.child::bigint)) INTO attached
      FROM (SELECT DISTINCT objid FROM pg_event_trigger_ddl_commands() WHERE classid = 'pg_class'::regclass) c, pgconvoy.ddl_attached(c.objid) a;
  END IF;
  PERFORM pgconvoy.ddl_write(json_build_object('event', event, 'tag', tag, 'nested', text.nested, 'nth', nth, 'text', text.body,
    'again', had IS NOT NULL AND text.body IS NULL, 'path', path, 'settings', settings, 'objects', objects, 'tables', tables,
    'attached', attached));
  IF current_setting('pgconvoy.ddl_lost', true) ~ '^[0-9]{1,10}( [0-9]{1,10})*$' THEN -- any role may set it
    lost := ARRAY(SELECT o::bigint::oid FROM unnest(string_to_array(current_setting('pgconvoy.ddl_lost'), ' ')) o WHERE o::bigint < 4294967296);
    PERFORM set_config('pgconvoy.ddl_lost', '', true);
  END IF;
  FOR one, dropped IN SELECT o, o = ANY (coalesce(lost, '{}')) FROM (SELECT unnest(lost) UNION SELECT unnest(changed) WHERE tag IN ('ALTER TABLE', 'CREATE TABLE')) r (o) LOOP
    PERFORM pgconvoy.ddl_keep_identity(one, dropped);
  END LOOP;
EXCEPTION
WHEN event_trigger_protocol_violated THEN
  RAISE; -- called by hand, as everybody may: no word of it to the stream
WHEN OTHERS THEN
  RAISE WARNING 'pgconvoy: %', SQLERRM;
  BEGIN
    IF nth IS NOT NULL THEN
      PERFORM pgconvoy.ddl_nth(tag);
    END IF;
    PERFORM pgconvoy.ddl_write(json_build_object('event', event, 'tag', tag, 'failure', SQLERRM));
  EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'pgconvoy: %', SQLERRM;
  END;
END
$f$;

-- A partition that was truncated by itself: a publication by the root's name leaves that out, and no event trigger sees it. The pipelines that
-- meet its new file say so, once for each file, and each of them reads it. One that has another reason is noted, and not told.
CREATE TABLE IF NOT EXISTS pgconvoy.ddl_emptied (leaf oid PRIMARY KEY, file oid NOT NULL);
REVOKE ALL ON pgconvoy.ddl_emptied FROM PUBLIC;
CREATE OR REPLACE FUNCTION pgconvoy.ddl_truncated(root oid, leaf oid, is_told boolean) RETURNS boolean LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  INSERT INTO pgconvoy.ddl_emptied AS e SELECT c.oid, c.relfilenode FROM pg_class c WHERE c.oid = $2
    ON CONFLICT ON CONSTRAINT ddl_emptied_pkey DO UPDATE SET file = EXCLUDED.file WHERE e.file <> EXCLUDED.file;
  IF FOUND AND is_told THEN
    PERFORM pgconvoy.ddl_write(json_build_object('event', 'ddl_command_end', 'tag', 'TRUNCATE TABLE', 'nested', false, 'objects', '[]'::json,
      'attached', json_build_array(json_build_object('root', $1::bigint, 'parent', $1::bigint, 'child', $2::bigint))));
  END IF;
  RETURN FOUND;
END
$f$;
REVOKE ALL ON FUNCTION pgconvoy.ddl_truncated(oid, oid, boolean) FROM PUBLIC;

-- The table that an object is, or is part of.
CREATE OR REPLACE FUNCTION pgconvoy.ddl_table_of(class oid, object oid) RETURNS oid LANGUAGE sql STABLE
  SET search_path = pg_catalog, pg_temp AS $f$
SELECT CASE class
  WHEN 'pg_class'::regclass THEN (SELECT CASE WHEN relkind IN ('r', 'p', 'f') THEN oid ELSE (SELECT indrelid FROM pg_index WHERE indexrelid = object) END FROM pg_class WHERE oid = object)
  WHEN 'pg_constraint'::regclass THEN (SELECT nullif(conrelid, 0) FROM pg_constraint WHERE oid = object)
  WHEN 'pg_trigger'::regclass THEN (SELECT tgrelid FROM pg_trigger WHERE oid = object)
  WHEN 'pg_policy'::regclass THEN (SELECT polrelid FROM pg_policy WHERE oid = object)
  WHEN 'pg_rewrite'::regclass THEN (SELECT ev_class FROM pg_rewrite WHERE oid = object)
  WHEN 'pg_attrdef'::regclass THEN (SELECT adrelid FROM pg_attrdef WHERE oid = object)
  WHEN 'pg_statistic_ext'::regclass THEN (SELECT stxrelid FROM pg_statistic_ext WHERE oid = object)
  END
$f$;

CREATE OR REPLACE FUNCTION pgconvoy.ddl_seen() RETURNS event_trigger LANGUAGE plpgsql AS $f$
DECLARE
  stack pg_catalog.text;
BEGIN
  GET DIAGNOSTICS stack = PG_CONTEXT;
  PERFORM pgconvoy.ddl_send(TG_EVENT, TG_TAG, stack, pg_catalog.current_query(),
    (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(s::pg_catalog.text), ', ') FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) s),
    pg_catalog.json_build_object('DateStyle', pg_catalog.current_setting('DateStyle'), 'IntervalStyle', pg_catalog.current_setting('IntervalStyle'),
      'TimeZone', pg_catalog.current_setting('TimeZone'), 'bytea_output', pg_catalog.current_setting('bytea_output'),
      'extra_float_digits', pg_catalog.current_setting('extra_float_digits'), 'xmloption', pg_catalog.current_setting('xmloption'),
      'array_nulls', pg_catalog.current_setting('array_nulls'), 'transform_null_equals', pg_catalog.current_setting('transform_null_equals'),
      'standard_conforming_strings', pg_catalog.current_setting('standard_conforming_strings')));
END
$f$;
REVOKE ALL ON FUNCTION pgconvoy.ddl_write(json), pgconvoy.ddl_keep_identity(oid, boolean) FROM PUBLIC;
COMMENT ON FUNCTION pgconvoy.ddl_seen() IS 'pgconvoy ddl 7';

DROP EVENT TRIGGER IF EXISTS pgconvoy_ddl_drop;
DROP EVENT TRIGGER IF EXISTS pgconvoy_ddl_rewrite;
DROP EVENT TRIGGER IF EXISTS pgconvoy_ddl_end;
CREATE EVENT TRIGGER pgconvoy_ddl_drop ON sql_drop EXECUTE FUNCTION pgconvoy.ddl_seen();
CREATE EVENT TRIGGER pgconvoy_ddl_rewrite ON table_rewrite EXECUTE FUNCTION pgconvoy.ddl_seen();
CREATE EVENT TRIGGER pgconvoy_ddl_end ON ddl_command_end EXECUTE FUNCTION pgconvoy.ddl_seen();
ALTER EVENT TRIGGER pgconvoy_ddl_drop ENABLE ALWAYS;
ALTER EVENT TRIGGER pgconvoy_ddl_rewrite ENABLE ALWAYS;
ALTER EVENT TRIGGER pgconvoy_ddl_end ENABLE ALWAYS;
