-- One of every kind of object, and names that need care. Lines that end in a note such as "--@ 14+" are for those servers only.
-- Roles belong to the cluster: the test makes them once.

CREATE EXTENSION hstore;
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION "uuid-ossp" SCHEMA public; --@ debian
CREATE EXTENSION pg_trgm;
CREATE SCHEMA "Weird ""Schema"" ü";
CREATE SCHEMA app AUTHORIZATION dump_owner;
COMMENT ON SCHEMA app IS 'it''s "quoted" $$ and \ back';
GRANT USAGE ON SCHEMA app TO PUBLIC;
GRANT USAGE ON SCHEMA app TO dump_reader WITH GRANT OPTION;

-- types
CREATE TYPE app.mood AS ENUM ('sad', 'so so', 'it''s ok', 'ünicode');
CREATE TYPE app.pair AS (a integer, "B c" text COLLATE "C", d numeric(10,2)[]);
COMMENT ON COLUMN app.pair.a IS 'first';
CREATE TYPE app.span AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TYPE app.span2 AS RANGE (subtype = text, collation = "C", multirange_type_name = app.many_span2); --@ 14+
CREATE TYPE app.shell;
CREATE DOMAIN app.positive AS integer DEFAULT 1 CONSTRAINT "not null, really" NOT NULL CHECK (VALUE > 0) CONSTRAINT small CHECK (VALUE < 1000000);
COMMENT ON CONSTRAINT small ON DOMAIN app.positive IS 'a bound';
CREATE DOMAIN app.nested AS app.positive;
ALTER DOMAIN app.nested ADD CONSTRAINT later CHECK (VALUE <> 13) NOT VALID;

-- functions
CREATE FUNCTION app.twice(integer, OUT result bigint) LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 7 AS 'SELECT $1 * 2::bigint';
CREATE FUNCTION app.body(a integer, b integer DEFAULT 3) RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT a + b; SELECT a * b; END; --@ 14+
CREATE FUNCTION app.dollars() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path TO app, 'Weird "Schema" ü' SET work_mem = '4MB' AS $f$ BEGIN RETURN $$a$$ || $_$b$_$; END $f$;
CREATE FUNCTION app.rows(VARIADIC text[]) RETURNS TABLE (n integer, "t T" text) LANGUAGE sql ROWS 5 LEAKPROOF AS $$ SELECT 1, $1[1] $$;
CREATE PROCEDURE app.act(INOUT x integer) LANGUAGE plpgsql AS $$ BEGIN x := x + 1; END $$;
ALTER FUNCTION app.twice(integer) OWNER TO dump_owner;
REVOKE ALL ON FUNCTION app.dollars() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.dollars() TO dump_reader;
COMMENT ON FUNCTION app.twice(integer) IS 'twice';
CREATE AGGREGATE app.total(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '0', COMBINEFUNC = int4pl, PARALLEL = safe);
CREATE AGGREGATE app.ordered(double precision ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = READ_WRITE);
CREATE TRANSFORM FOR hstore LANGUAGE sql (FROM SQL WITH FUNCTION pg_catalog.prsd_lextype(internal), TO SQL WITH FUNCTION pg_catalog.hstore_none(internal)); --@ never
CREATE TRANSFORM FOR integer LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION int4recv(internal));
CREATE CAST (app.pair AS app.mood) WITH INOUT AS ASSIGNMENT;
CREATE FUNCTION app.mood_number(app.mood) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT length($1::text) $$;
CREATE CAST (app.mood AS integer) WITH FUNCTION app.mood_number(app.mood) AS IMPLICIT;
COMMENT ON CAST (app.mood AS integer) IS 'its length';

-- operators
CREATE FUNCTION app.pair_eq(app.pair, app.pair) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT $1.a = $2.a $$;
CREATE OPERATOR app.=== (LEFTARG = app.pair, RIGHTARG = app.pair, FUNCTION = app.pair_eq, COMMUTATOR = OPERATOR(app.===), NEGATOR = OPERATOR(app.!==), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE FUNCTION app.pair_ne(app.pair, app.pair) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT $1.a <> $2.a $$;
CREATE OPERATOR app.!== (LEFTARG = app.pair, RIGHTARG = app.pair, FUNCTION = app.pair_ne, COMMUTATOR = OPERATOR(app.!==), NEGATOR = OPERATOR(app.===));
CREATE OPERATOR FAMILY app.family USING btree;
ALTER OPERATOR FAMILY app.family USING btree ADD OPERATOR 1 < (int8, int4), FUNCTION 1 (int8, int4) btint84cmp(int8, int4);
CREATE OPERATOR CLASS app.ops FOR TYPE integer USING btree FAMILY app.family AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int4, int4);
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
COMMENT ON ACCESS METHOD heap2 IS 'heap, again';
CREATE COLLATION app.german (PROVIDER = libc, LOCALE = 'C');
CREATE COLLATION app."nd" (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false);
CREATE CONVERSION app.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE DEFAULT CONVERSION app.conv2 FOR 'LATIN2' TO 'UTF8' FROM iso8859_to_utf8;
CREATE TEXT SEARCH PARSER app.parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, HEADLINE = prsd_headline, LEXTYPES = prsd_lextype);
CREATE TEXT SEARCH TEMPLATE app.template (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY app.dict (TEMPLATE = pg_catalog.simple, stopwords = 'english', accept = false);
CREATE TEXT SEARCH CONFIGURATION app.config (PARSER = pg_catalog."default");
ALTER TEXT SEARCH CONFIGURATION app.config ADD MAPPING FOR asciiword, word WITH app.dict, english_stem;
COMMENT ON TEXT SEARCH CONFIGURATION app.config IS 'search';

-- tables
CREATE TABLE app.users (
    id bigint GENERATED ALWAYS AS IDENTITY (START WITH 100 INCREMENT BY 5) PRIMARY KEY,
    email varchar(60) NOT NULL UNIQUE,
    "Select" text COLLATE "C" DEFAULT 'x''y\z',
    mood app.mood DEFAULT 'it''s ok' NOT NULL,
    pairs app.pair[],
    price numeric(12,3) CONSTRAINT dear CHECK (price < 1e6),
    doubled numeric GENERATED ALWAYS AS (price * 2) STORED,
    "group" integer DEFAULT app.mood_number('sad'::app.mood),
    made timestamp with time zone DEFAULT now(),
    dropped integer,
    CONSTRAINT "two columns" CHECK ((price IS NULL) OR (length(email) > 1))
) WITH (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = false);
ALTER TABLE app.users DROP COLUMN dropped;
ALTER TABLE app.users ALTER COLUMN email SET STATISTICS 500, ALTER COLUMN "Select" SET STORAGE EXTERNAL, ALTER COLUMN price SET (n_distinct = -0.5);
ALTER TABLE app.users ALTER COLUMN "Select" SET COMPRESSION lz4; --@ 14+ debian
ALTER TABLE app.users ADD CONSTRAINT later CHECK (price > -1) NOT VALID;
ALTER TABLE app.users REPLICA IDENTITY FULL;
ALTER TABLE app.users OWNER TO dump_owner;
COMMENT ON TABLE app.users IS 'people';
COMMENT ON COLUMN app.users."Select" IS 'a key word';
COMMENT ON CONSTRAINT dear ON app.users IS 'not too dear';
GRANT SELECT, INSERT ON app.users TO dump_reader;
GRANT SELECT ON app.users TO PUBLIC;
GRANT UPDATE (email, "Select") ON app.users TO dump_reader WITH GRANT OPTION;
INSERT INTO app.users (email, price, pairs) VALUES ('a@b', 1.5, ARRAY[ROW(1, E'tab\there', '{1.5,NULL}')::app.pair]), ('c@d', NULL, NULL), (E'back\\slash\nline', 3, '{}');

CREATE TABLE app.orders (user_id bigint NOT NULL, n integer NOT NULL, note text, at tstzrange,
    PRIMARY KEY (user_id, n) INCLUDE (note),
    FOREIGN KEY (user_id) REFERENCES app.users ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    EXCLUDE USING gist (at WITH &&) WHERE (n > 0));
CREATE UNIQUE INDEX orders_note ON app.orders (lower(note) text_pattern_ops DESC NULLS LAST) WHERE n > 3;
ALTER TABLE app.orders CLUSTER ON orders_pkey;
CREATE INDEX orders_trgm ON app.orders USING gin (note gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX orders_expr ON app.orders ((n + 1), (n * 2));
ALTER INDEX app.orders_expr ALTER COLUMN 1 SET STATISTICS 400;
COMMENT ON INDEX app.orders_expr IS 'expressions';
CREATE UNIQUE INDEX orders_same ON app.orders (note) NULLS NOT DISTINCT; --@ 15+
CREATE STATISTICS app.orders_stats (ndistinct, dependencies) ON user_id, n FROM app.orders;
ALTER STATISTICS app.orders_stats SET STATISTICS 77; --@ 13+
CREATE TABLE app.replica (id integer NOT NULL, other integer NOT NULL);
CREATE UNIQUE INDEX replica_key ON app.replica (other);
ALTER TABLE app.replica REPLICA IDENTITY USING INDEX replica_key;
CREATE UNLOGGED TABLE app.unlogged (a serial, b text);
INSERT INTO app.unlogged (b) VALUES ('kept');
CREATE TABLE app.nothing ();
INSERT INTO app.nothing DEFAULT VALUES;
CREATE TABLE app.typed OF app.pair (a WITH OPTIONS PRIMARY KEY DEFAULT 7);
CREATE TABLE app.parent (id integer DEFAULT 1, kept text NOT NULL, CHECK (id > 0) NO INHERIT);
CREATE TABLE app.child (extra text, kept text DEFAULT 'own') INHERITS (app.parent);
CREATE TABLE app.in_heap2 (a integer) USING heap2;
CREATE TABLE app.events (at date NOT NULL, id integer, payload jsonb) PARTITION BY RANGE (at);
CREATE TABLE app.events_1 PARTITION OF app.events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') PARTITION BY LIST (id);
CREATE TABLE app.events_1a PARTITION OF app.events_1 FOR VALUES IN (1, NULL);
CREATE TABLE app.events_other PARTITION OF app.events DEFAULT;
CREATE INDEX events_at ON app.events (at, id);
ALTER TABLE app.events ADD CONSTRAINT events_unique UNIQUE (at, id);
INSERT INTO app.events VALUES ('2020-05-05', 1, '{"a": [1, "x\"y"]}'), ('1999-01-01', 2, 'null');
CREATE TABLE app.by_hash (m app.mood) PARTITION BY HASH (m);
-- One partition: an enum's labels get other oids in a restore, and so other hashes.
CREATE TABLE app.by_hash_0 PARTITION OF app.by_hash FOR VALUES WITH (MODULUS 1, REMAINDER 0);
INSERT INTO app.by_hash VALUES ('sad'), ('so so');
CREATE TABLE "Weird ""Schema"" ü"."Table.with ""all"" $ü" ("col ""x"" ü" integer PRIMARY KEY, "a.b" text DEFAULT E'\\', "" text) --@ never
;
CREATE TABLE "Weird ""Schema"" ü"."Table.with ""all"" $ü" ("col ""x"" ü" integer PRIMARY KEY, "a.b" text DEFAULT E'\\');
INSERT INTO "Weird ""Schema"" ü"."Table.with ""all"" $ü" VALUES (1, E'\\.'), (2, E'\b\f\n\r\t\v'), (3, NULL), (4, '\N');
COMMENT ON TABLE "Weird ""Schema"" ü"."Table.with ""all"" $ü" IS E'multi\nline -- comment';
CREATE TABLE app.not_null_18 (a integer CONSTRAINT named NOT NULL, b integer CONSTRAINT not_inherited NOT NULL NO INHERIT, v integer GENERATED ALWAYS AS (a + 1) VIRTUAL); --@ 18+
ALTER TABLE app.not_null_18 ADD c integer, ADD CONSTRAINT invalid NOT NULL c NOT VALID; --@ 18+
CREATE TABLE app.temporal (id int4range, valid tstzrange, PRIMARY KEY (id, valid WITHOUT OVERLAPS)); --@ 18+

-- sequences
CREATE SEQUENCE app.numbers AS smallint INCREMENT BY -2 MINVALUE -100 MAXVALUE 50 START WITH 10 CACHE 4 CYCLE;
SELECT nextval('app.numbers'), nextval('app.numbers');
CREATE SEQUENCE app.fresh OWNED BY app.replica.id;
GRANT USAGE ON SEQUENCE app.fresh TO dump_reader;

-- views, rules, triggers
CREATE VIEW app.v AS SELECT id, email, "Select" FROM app.users WHERE price > 0 WITH LOCAL CHECK OPTION;
CREATE VIEW app.barrier WITH (security_barrier = true) AS SELECT 1 AS "one two";
CREATE VIEW app.invoker WITH (security_invoker = true) AS SELECT 1 AS a; --@ 15+
CREATE VIEW app.loop_a AS SELECT 1 AS x;
CREATE VIEW app.loop_b AS SELECT x FROM app.loop_a;
CREATE OR REPLACE VIEW app.loop_a AS SELECT 2 AS x;
CREATE MATERIALIZED VIEW app.mv AS SELECT mood, count(*) AS n FROM app.users GROUP BY mood;
CREATE UNIQUE INDEX mv_mood ON app.mv (mood);
CREATE MATERIALIZED VIEW app.mv2 AS SELECT sum(n) FROM app.mv WITH NO DATA;
CREATE VIEW app.grouped AS SELECT id, email, count(*) FROM app.users GROUP BY id;
CREATE RULE no_delete AS ON DELETE TO app.v DO INSTEAD NOTHING;
COMMENT ON RULE no_delete ON app.v IS 'kept';
CREATE RULE also AS ON INSERT TO app.replica WHERE new.id > 5 DO ALSO (INSERT INTO app.nothing DEFAULT VALUES; DELETE FROM app.nothing WHERE false);
ALTER TABLE app.replica DISABLE RULE also;
CREATE FUNCTION app.trg() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
CREATE TRIGGER before BEFORE INSERT OR UPDATE OF email ON app.users FOR EACH ROW WHEN (new.price > 0) EXECUTE FUNCTION app.trg('arg''1', 'ü\');
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON app.orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.trg();
CREATE TRIGGER seen AFTER UPDATE ON app.orders REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION app.trg();
CREATE TRIGGER on_partitions AFTER INSERT ON app.events FOR EACH ROW EXECUTE FUNCTION app.trg();
ALTER TABLE app.events_other DISABLE TRIGGER on_partitions;
ALTER TABLE app.orders ENABLE ALWAYS TRIGGER seen;
COMMENT ON TRIGGER seen ON app.orders IS 'always';
CREATE FUNCTION app.ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER dump_ddl ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION app.ddl();
ALTER EVENT TRIGGER dump_ddl DISABLE;
CREATE EVENT TRIGGER dump_drop ON sql_drop EXECUTE FUNCTION app.ddl();
ALTER EVENT TRIGGER dump_drop ENABLE REPLICA;
COMMENT ON EVENT TRIGGER dump_drop IS 'drops';

-- row security
ALTER TABLE app.replica ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.replica FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.replica AS RESTRICTIVE FOR UPDATE TO dump_reader, dump_owner USING (id > 0) WITH CHECK (other > 0);
COMMENT ON POLICY own ON app.replica IS 'own rows';
CREATE POLICY everyone ON app.replica;

-- foreign data
CREATE FOREIGN DATA WRAPPER dump_fdw HANDLER postgres_fdw_handler VALIDATOR postgres_fdw_validator OPTIONS (keep_connections 'off'); --@ never
CREATE FOREIGN DATA WRAPPER dump_fdw OPTIONS (debug 'true');
CREATE SERVER dump_server TYPE 'a''b' VERSION '1.0' FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'localhost', dbname 'x''y');
GRANT USAGE ON FOREIGN SERVER dump_server TO dump_reader;
CREATE USER MAPPING FOR dump_reader SERVER dump_server OPTIONS (user 'u', password 'p''w');
CREATE USER MAPPING FOR PUBLIC SERVER dump_server;
CREATE FOREIGN TABLE app.far (a integer OPTIONS (column_name 'z') NOT NULL, b text) SERVER dump_server OPTIONS (table_name 't', schema_name 's''s');
COMMENT ON FOREIGN TABLE app.far IS 'far';

-- privileges that do not belong to an object
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO dump_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE dump_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE dump_owner GRANT USAGE ON SCHEMAS TO dump_reader WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO dump_owner;
REVOKE USAGE ON TYPE app.mood FROM PUBLIC;
GRANT SELECT ON pg_catalog.pg_authid TO dump_reader;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO dump_reader;
SET SESSION AUTHORIZATION dump_reader;
GRANT USAGE ON SCHEMA app TO dump_other;
RESET SESSION AUTHORIZATION;

-- replication
CREATE PUBLICATION dump_all FOR ALL TABLES WITH (publish = 'insert, truncate');
CREATE PUBLICATION dump_some FOR TABLE app.users, ONLY app.parent WITH (publish_via_partition_root = true); --@ 13+
CREATE PUBLICATION dump_filtered FOR TABLE app.users (id, email) WHERE (price > 3), TABLES IN SCHEMA app; --@ never
CREATE PUBLICATION dump_filtered FOR TABLE app.users (id, email) WHERE (price > 3); --@ 15+
CREATE PUBLICATION dump_schema FOR TABLES IN SCHEMA app; --@ 15+
COMMENT ON PUBLICATION dump_all IS 'everything';
CREATE SUBSCRIPTION dump_sub CONNECTION 'dbname=nowhere host=''a b''' PUBLICATION p1, "P 2" WITH (connect = false, slot_name = 'other', synchronous_commit = 'off');
CREATE SUBSCRIPTION dump_sub2 CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false, binary = true, streaming = on); --@ 14+
ALTER SUBSCRIPTION dump_sub OWNER TO dump_super;
COMMENT ON SUBSCRIPTION dump_sub IS 'nothing comes';

-- large objects
SELECT lo_from_bytea(70001, decode(repeat('00ff5c', 2000), 'hex')), lo_create(70002);
ALTER LARGE OBJECT 70001 OWNER TO dump_owner;
GRANT SELECT ON LARGE OBJECT 70001 TO dump_reader;
COMMENT ON LARGE OBJECT 70002 IS 'empty';

-- what opens this trade
CREATE SCHEMA neosync_test;
CREATE TABLE neosync_test.users ( --@ debian
    email varchar(60) NOT NULL, --@ debian
    id uuid DEFAULT uuid_generate_v4() NOT NULL, --@ debian
    first_name varchar(20) DEFAULT 'evis' NOT NULL, --@ debian
    last_name varchar(255) DEFAULT 'drenova' NOT NULL, --@ debian
    weight integer DEFAULT 30 NOT NULL, --@ debian
    middle_name varchar DEFAULT 'bj' NOT NULL, --@ debian
    CONSTRAINT users_email_key UNIQUE (email), CONSTRAINT users_pkey PRIMARY KEY (id)); --@ debian
INSERT INTO neosync_test.users (email, id) VALUES ('a@x', '00000000-0000-0000-0000-000000000001'), ('b@x', '00000000-0000-0000-0000-000000000002'), ('c@x', '00000000-0000-0000-0000-000000000003'), ('d@x', '00000000-0000-0000-0000-000000000004'); --@ debian
