"""Every kind of object that a catalog has, each changed at the target alone: what `verify` calls it, and whether its repair script mends it."""

SCHEMA = """
CREATE SCHEMA app; CREATE TYPE app.mood AS ENUM ('sad', 'ok'); CREATE TYPE app.pair AS (a int, b text); CREATE DOMAIN app.price AS numeric CONSTRAINT positive CHECK (VALUE >= 0);
CREATE SEQUENCE app.counter;
CREATE FUNCTION app.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2'; CREATE PROCEDURE app.nothing() LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION app.touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION app.defined() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE AGGREGATE app.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0'); CREATE OPERATOR app.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
CREATE CAST (app.pair AS text) WITH INOUT; CREATE COLLATION app.sorted (provider = icu, locale = 'und'); CREATE CONVERSION app.latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE TEXT SEARCH CONFIGURATION app.words (COPY = pg_catalog.simple); CREATE TEXT SEARCH DICTIONARY app.plain (TEMPLATE = pg_catalog.simple);
CREATE TABLE app.item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL DEFAULT 'x', cost app.price, feels app.mood, twice int GENERATED ALWAYS AS (id * 2) STORED,
    at timestamptz, CONSTRAINT short CHECK (length(name) < 100), CONSTRAINT once UNIQUE (name, at));
CREATE TABLE app.line (item int CONSTRAINT of REFERENCES app.item, n smallserial, note varchar(10), PRIMARY KEY (item, n)); ALTER TABLE app.line ALTER note SET STORAGE EXTERNAL;
CREATE TABLE app.part (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE TABLE app.part_1 PARTITION OF app.part FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE app.base (id int); CREATE TABLE app.derived (more int) INHERITS (app.base);
CREATE INDEX item_at ON app.item (at) WHERE cost > 0; CREATE STATISTICS app.item_stat ON name, at FROM app.item;
CREATE TRIGGER touch BEFORE UPDATE ON app.item FOR EACH ROW EXECUTE FUNCTION app.touched();
CREATE RULE aside AS ON DELETE TO app.base DO INSTEAD NOTHING; ALTER TABLE app.line ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON app.line USING (n > 0);
CREATE VIEW app.cheap AS SELECT id, name FROM app.item WHERE cost < 10; CREATE MATERIALIZED VIEW app.kept AS SELECT count(*) AS n FROM app.item;
CREATE EXTENSION hstore; CREATE EXTENSION postgres_fdw; CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'a'); CREATE FOREIGN TABLE app.far (id int) SERVER away;
CREATE PUBLICATION few FOR TABLE app.item; CREATE EVENT TRIGGER seen ON ddl_command_end EXECUTE FUNCTION app.defined();
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO reader;
COMMENT ON COLUMN app.item.name IS 'as it is called'; COMMENT ON CONSTRAINT short ON app.item IS 'not long'; GRANT SELECT (id) ON app.item TO reader; GRANT EXECUTE ON FUNCTION app.twice TO reader;
"""
ITEM, LINE = "changed TABLE app.item", "changed TABLE app.line"
SCRIPT, HAND = True, False  # what mends it: the script, or somebody who reads in it what there is to do
# What is done to the target, what is found, what mends it.
OBJECTS = [
    ("a schema's owner", "ALTER SCHEMA app OWNER TO other", {"changed SCHEMA app"}, SCRIPT),
    ("a schema's grant", "GRANT USAGE ON SCHEMA app TO reader", {"extra ACL SCHEMA app"}, SCRIPT),
    ("a missing label", "ALTER TYPE app.mood ADD VALUE 'glad'", {"changed TYPE app.mood"}, HAND),
    ("the order of a type's members", "ALTER TYPE app.pair ADD ATTRIBUTE c int", {"changed TYPE app.pair"}, HAND),
    ("a domain's check", "ALTER DOMAIN app.price DROP CONSTRAINT positive", {"changed DOMAIN app.price"}, HAND),
    ("a sequence's step", "ALTER SEQUENCE app.counter INCREMENT 5", {"changed SEQUENCE app.counter"}, SCRIPT),
    ("a function's volatility", "ALTER FUNCTION app.twice VOLATILE", {"changed FUNCTION app.twice(integer)"}, SCRIPT),
    ("a function's rights", "ALTER FUNCTION app.twice SECURITY DEFINER", {"changed FUNCTION app.twice(integer)"}, SCRIPT),
    ("a function's setting", "ALTER FUNCTION app.twice SET search_path = pg_catalog", {"changed FUNCTION app.twice(integer)"}, SCRIPT),
    ("a function's owner", "ALTER FUNCTION app.touched OWNER TO other", {"changed FUNCTION app.touched()"}, SCRIPT),
    ("a function's grant", "REVOKE EXECUTE ON FUNCTION app.twice FROM reader", {"missing ACL app.FUNCTION twice(n integer)"}, SCRIPT),
    ("a missing function", "CREATE FUNCTION app.twice(n bigint) RETURNS bigint LANGUAGE sql AS 'SELECT n * 2'", {"extra FUNCTION app.twice(bigint)"}, SCRIPT),
    ("a procedure", "CREATE OR REPLACE PROCEDURE app.nothing() LANGUAGE sql AS 'SELECT 2'", {"changed PROCEDURE app.nothing()"}, SCRIPT),
    ("a missing aggregate", "DROP AGGREGATE app.total(int)", {"missing AGGREGATE app.total(integer)"}, SCRIPT),
    ("a missing operator", "DROP OPERATOR app.=== (int, int)", {"missing OPERATOR app.==="}, SCRIPT),
    ("a missing cast", "DROP CAST (app.pair AS text)", {"missing CAST CAST (app.pair AS text)"}, SCRIPT),
    ("a missing collation", "DROP COLLATION app.sorted", {"missing COLLATION app.sorted"}, SCRIPT),
    ("a missing conversion", "DROP CONVERSION app.latin", {"missing CONVERSION app.latin"}, SCRIPT),
    ("a text search configuration", "ALTER TEXT SEARCH CONFIGURATION app.words DROP MAPPING FOR word", {"changed TEXT SEARCH CONFIGURATION app.words"}, HAND),
    ("a missing dictionary", "DROP TEXT SEARCH DICTIONARY app.plain", {"missing TEXT SEARCH DICTIONARY app.plain"}, SCRIPT),
    ("a column's default", "ALTER TABLE app.item ALTER name DROP DEFAULT", {ITEM}, SCRIPT),
    ("a column that may be NULL", "ALTER TABLE app.item ALTER name DROP NOT NULL", {ITEM}, SCRIPT),
    ("an identity that can be written", "ALTER TABLE app.item ALTER id SET GENERATED BY DEFAULT", {"changed SEQUENCE app.item_id_seq"}, SCRIPT),
    ("a column that is not generated", "ALTER TABLE app.item ALTER twice DROP EXPRESSION", {ITEM}, HAND),
    ("a missing column", "ALTER TABLE app.line DROP note", {LINE}, SCRIPT),
    ("an extra column", "ALTER TABLE app.line ADD more int", {LINE}, SCRIPT),
    ("a type's length", "ALTER TABLE app.line ALTER note TYPE varchar(20)", {LINE}, SCRIPT),
    ("a column's storage", "ALTER TABLE app.line ALTER note SET STORAGE PLAIN", {LINE}, SCRIPT),
    ("a column's statistics", "ALTER TABLE app.line ALTER note SET STATISTICS 7", {LINE}, SCRIPT),
    ("a table's setting", "ALTER TABLE app.line SET (fillfactor = 50)", {LINE}, SCRIPT),
    ("an unlogged table", "ALTER TABLE app.base SET UNLOGGED", {"changed TABLE app.base"}, SCRIPT),
    ("a replica identity", "ALTER TABLE app.line REPLICA IDENTITY FULL", {LINE}, SCRIPT),
    ("the index of CLUSTER", "ALTER TABLE app.item CLUSTER ON item_pkey", {"changed CONSTRAINT app.item item_pkey"}, SCRIPT),
    ("a check that was not looked at", "ALTER TABLE app.item DROP CONSTRAINT short; ALTER TABLE app.item ADD CONSTRAINT short CHECK (length(name) < 100) NOT VALID",
     {ITEM, "extra CHECK CONSTRAINT app.item short", "missing COMMENT app.CONSTRAINT short ON item"}, SCRIPT),
    ("a key that is checked late", "ALTER TABLE app.item DROP CONSTRAINT once; ALTER TABLE app.item ADD CONSTRAINT once UNIQUE (name, at) DEFERRABLE", {"changed CONSTRAINT app.item once"}, SCRIPT),
    ("a foreign key that cascades", "ALTER TABLE app.line DROP CONSTRAINT of; ALTER TABLE app.line ADD CONSTRAINT of FOREIGN KEY (item) REFERENCES app.item ON DELETE CASCADE",
     {"changed FK CONSTRAINT app.line of"}, SCRIPT),
    ("a table that inherits no more", "ALTER TABLE app.derived NO INHERIT app.base", {"changed TABLE app.derived"}, HAND),
    ("a detached partition", "ALTER TABLE app.part DETACH PARTITION app.part_1", {"missing TABLE ATTACH app.part_1", "missing INDEX ATTACH app.part_1_pkey"}, SCRIPT),
    ("an extra partition", "CREATE TABLE app.part_2 PARTITION OF app.part FOR VALUES FROM ('2021-01-01') TO ('2022-01-01')",
     {"extra TABLE app.part_2", "extra TABLE ATTACH app.part_2", "extra CONSTRAINT app.part_2 part_2_pkey", "extra INDEX ATTACH app.part_2_pkey", "extra ACL app.TABLE part_2"}, SCRIPT),
    ("another bound", "ALTER TABLE app.part DETACH PARTITION app.part_1; ALTER TABLE app.part ATTACH PARTITION app.part_1 FOR VALUES FROM ('2020-01-01') TO ('2022-01-01')",
     {"changed TABLE ATTACH app.part_1"}, SCRIPT),
    ("an index's condition", "DROP INDEX app.item_at; CREATE INDEX item_at ON app.item (at) WHERE cost > 1", {"changed INDEX app.item_at"}, SCRIPT),
    ("an index's setting", "ALTER INDEX app.item_at SET (fillfactor = 50)", {"changed INDEX app.item_at"}, SCRIPT),
    ("an object of statistics", "DROP STATISTICS app.item_stat", {"missing STATISTICS app.item_stat"}, SCRIPT),
    ("a disabled trigger", "ALTER TABLE app.item DISABLE TRIGGER touch", {"changed TRIGGER app.item touch"}, SCRIPT),
    ("another event of a trigger", "CREATE OR REPLACE TRIGGER touch BEFORE UPDATE OR INSERT ON app.item FOR EACH ROW EXECUTE FUNCTION app.touched()", {"changed TRIGGER app.item touch"}, SCRIPT),
    ("a missing rule", "DROP RULE aside ON app.base", {"missing RULE app.base aside"}, SCRIPT),
    ("another rule", "CREATE OR REPLACE RULE aside AS ON DELETE TO app.base DO ALSO NOTHING", {"changed RULE app.base aside"}, SCRIPT),
    ("a policy", "ALTER POLICY own ON app.line USING (n > 1)", {"changed POLICY app.line own"}, SCRIPT),
    ("row security that is off", "ALTER TABLE app.line DISABLE ROW LEVEL SECURITY", {"missing ROW SECURITY app.line"}, SCRIPT),
    ("row security that is forced", "ALTER TABLE app.line FORCE ROW LEVEL SECURITY", {LINE}, SCRIPT),
    ("a view", "CREATE OR REPLACE VIEW app.cheap AS SELECT id, name FROM app.item WHERE cost < 11", {"changed VIEW app.cheap"}, SCRIPT),
    ("a view's setting", "ALTER VIEW app.cheap SET (security_barrier)", {"changed VIEW app.cheap"}, SCRIPT),
    ("a view's owner", "ALTER VIEW app.cheap OWNER TO other", {"changed VIEW app.cheap"}, SCRIPT),
    ("a materialized view", "DROP MATERIALIZED VIEW app.kept; CREATE MATERIALIZED VIEW app.kept AS SELECT count(*) + 1 AS n FROM app.item", {"changed MATERIALIZED VIEW app.kept", "extra ACL app.TABLE kept"}, HAND),
    ("a missing extension", "DROP EXTENSION hstore", {"missing EXTENSION hstore", "missing COMMENT EXTENSION hstore"}, SCRIPT),
    ("a foreign server", "ALTER SERVER away OPTIONS (SET host 'b')", {"changed SERVER away"}, HAND),
    ("a missing foreign table", "DROP FOREIGN TABLE app.far", {"missing FOREIGN TABLE app.far"}, SCRIPT),
    ("a publication's tables", "ALTER PUBLICATION few ADD TABLE app.line", {"extra PUBLICATION TABLE app.few line"}, SCRIPT),
    ("what a publication publishes", "ALTER PUBLICATION few SET (publish = 'insert')", {"changed PUBLICATION few"}, SCRIPT),
    ("a missing event trigger", "DROP EVENT TRIGGER seen", {"missing EVENT TRIGGER seen"}, SCRIPT),
    ("a disabled event trigger", "ALTER EVENT TRIGGER seen DISABLE", {"changed EVENT TRIGGER seen"}, SCRIPT),
    ("default privileges", "ALTER DEFAULT PRIVILEGES IN SCHEMA app REVOKE SELECT ON TABLES FROM reader", {"missing DEFAULT ACL app.DEFAULT PRIVILEGES FOR TABLES"}, SCRIPT),
    ("a column's comment", "COMMENT ON COLUMN app.item.name IS 'otherwise'", {"changed COMMENT app.COLUMN item.name"}, SCRIPT),
    ("a missing comment", "COMMENT ON COLUMN app.item.name IS NULL", {"missing COMMENT app.COLUMN item.name"}, SCRIPT),
    ("a constraint's comment", "COMMENT ON CONSTRAINT short ON app.item IS 'long'", {"changed COMMENT app.CONSTRAINT short ON item"}, SCRIPT),
    ("a column's grant", "REVOKE SELECT (id) ON app.item FROM reader", {"missing ACL app.COLUMN item.id"}, SCRIPT),
    ("another column's grant", "GRANT SELECT (name) ON app.item TO reader", {"extra ACL app.COLUMN item.name"}, SCRIPT),
    ("a sequence's owner", "ALTER SEQUENCE app.counter OWNER TO other", {"changed SEQUENCE app.counter"}, SCRIPT),
    ("a sequence of a column", "ALTER SEQUENCE app.line_n_seq OWNED BY NONE", {"missing SEQUENCE OWNED BY app.line_n_seq", "missing DEFAULT app.line n", LINE}, SCRIPT),
]
