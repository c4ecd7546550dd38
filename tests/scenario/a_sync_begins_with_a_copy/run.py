#!/usr/bin/env python3
"""`sync` into PostgreSQL makes the tables as they are at the source, with all that belongs to them: the stock pg_dump writes the same of both ends, also when it was killed on the way."""
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))
import copying
import scenario

# Everything here is a table, hangs on one, or is needed by one; what stands in UNRELATED is made after the copy.
SCHEMA = '''
CREATE SCHEMA shop; COMMENT ON SCHEMA shop IS 'of the shop';
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE DOMAIN price AS numeric(10,2) CHECK (VALUE >= 0);
CREATE FUNCTION shop.next() RETURNS int LANGUAGE sql AS 'SELECT 7';
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.touched := coalesce(NEW.touched, 0) + 1; RETURN NEW; END';
CREATE SEQUENCE shop.numbers START 100000;
CREATE TABLE shop.customer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, mood mood DEFAULT 'good', touched int, long text GENERATED ALWAYS AS (name || '!') STORED);
CREATE TABLE shop.sold (id int PRIMARY KEY DEFAULT nextval('shop.numbers'), customer bigint NOT NULL REFERENCES shop.customer, price price, n int DEFAULT shop.next(), other int CONSTRAINT itself REFERENCES shop.sold DEFERRABLE INITIALLY DEFERRED);
CREATE INDEX ON shop.sold (customer, price); CREATE UNIQUE INDEX ON shop.sold (lower(n::text), id) WHERE n > 3;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON shop.customer FOR EACH ROW EXECUTE FUNCTION shop.touch();
CREATE STATISTICS shop.some ON id, n FROM shop.sold;
ALTER TABLE shop.sold ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON shop.sold USING (n > 0);
COMMENT ON COLUMN shop.sold.n IS 'how many'; GRANT SELECT ON shop.sold TO PUBLIC;
CREATE TABLE serial (id serial PRIMARY KEY, v text CHECK (v <> ''), u uuid UNIQUE);
CREATE TABLE parts (id int, at date NOT NULL, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-02-01'); CREATE TABLE part_2 PARTITION OF parts DEFAULT;
CREATE INDEX ON parts (v);
CREATE TABLE base (id int PRIMARY KEY); CREATE TABLE child (more text, PRIMARY KEY (id)) INHERITS (base);
CREATE TABLE keyless (a int, b text); ALTER TABLE keyless REPLICA IDENTITY FULL;
INSERT INTO shop.customer (name) SELECT md5(i::text) FROM generate_series(1, 40000) i;
INSERT INTO shop.sold SELECT i, i % 40000 + 1, i % 1000, i, CASE WHEN i > 1 THEN i - 1 END FROM generate_series(1, 60000) i;
INSERT INTO serial (v, u) SELECT i, gen_random_uuid() FROM generate_series(1, 1000) i;
INSERT INTO parts SELECT i, '2026-01-01'::date + i % 60, md5(i::text) FROM generate_series(1, 40000) i;
INSERT INTO base VALUES (1), (2); INSERT INTO child VALUES (3, 'three');
INSERT INTO keyless SELECT i, md5(i::text) FROM generate_series(1, 100) i;
'''
UNRELATED = """
CREATE VIEW shop.names AS SELECT name FROM shop.customer;
CREATE FUNCTION unrelated() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE unrelated AS (a int);
"""
# Each customer that is sold something is new: foreign keys hold in every snapshot, and in no mixture of two.
LOAD = """
BEGIN;
INSERT INTO shop.customer (name) VALUES ('new');
INSERT INTO shop.sold (customer, price) VALUES (currval('shop.customer_id_seq'), 1);
UPDATE shop.sold SET n = n + 1 WHERE id = (random() * 60000)::int;
UPDATE parts SET v = 'moved', at = at + 1 WHERE id = (random() * 40000)::int;
UPDATE keyless SET b = md5(b) WHERE a = (random() * 100)::int;
INSERT INTO serial (v) VALUES ('more');
COMMIT;
"""
TABLES = [("shop", "customer"), ("shop", "sold"), ("public", "serial"), ("public", "parts"), ("public", "base"), ("public", "child"), ("public", "keyless")]


def dump(server, database, *options):
    """Without the event triggers by which a stream sees schema changes."""
    lines = copying.dump(server, database, "--no-publications", "-N", "pgconvoy", *options)
    kept, ours = [], False
    for line in lines:
        if line.startswith(b"-- Name: ") or b"dump complete" in line:
            ours = line.startswith(b"-- Name: pgconvoy_ddl_")
        if not ours and line not in (b"", b"--"):
            kept.append(line)
    return kept


def same_schema(server, target):
    copying.same("definitions", dump(server, "postgres", "-s"), dump(server, target.database, "-s"))


def definitions(s):
    source = s.server()
    source.sql(SCHEMA + "CREATE FUNCTION left_out() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    target = s.target("postgres")
    s.sync_until_caught_up(source.uri(), target, "--name", "whole", "-j", "2")
    assert target.query("SELECT to_regproc('left_out') IS NULL") == "t", "no table needs it"
    source.sql("DROP FUNCTION left_out()")
    same_schema(source, target)
    copying.same("rows", dump(source, "postgres", "-a"), dump(source, target.database, "-a"))
    source.sql("INSERT INTO shop.customer (name) VALUES ('after'); UPDATE parts SET at = '2026-03-01' WHERE id = 1; DELETE FROM shop.sold WHERE id = 60000; INSERT INTO serial (v) VALUES ('after')")
    source.sql(UNRELATED)
    s.sync_until_caught_up(source.uri(), target, "--name", "whole")
    s.equal(source, target, tables=TABLES)
    assert target.query("SELECT to_regproc('unrelated') IS NOT NULL") == "t", "what is made later comes by the event triggers"
    assert target.query("SELECT count(*) FROM pg_stats WHERE tablename IN ('customer', 'part_1')") != "0", "it was not analyzed"
    assert target.query("SELECT to_regclass('pgconvoy.copy_item') IS NULL") == "t", "the state of the copy was left"


def killed(s):
    """At random moments under load."""
    source = s.server()
    source.sql(SCHEMA)
    target = s.target("postgres")
    load = s.load(source.pgbench("-c", 2, "-T", 3600, "-R", 300, script=LOAD))
    for _ in range(int(os.environ.get("KILLS", "2"))):
        run = s.sync(source.uri(), target, "--name", "killed", "-j", "1")
        scenario.wait_for(lambda: not run.running() or target.query("SELECT to_regclass('pgconvoy.copy_item') IS NOT NULL OR to_regclass('pgconvoy.pipeline') IS NOT NULL") == "t", 60, "it has begun")
        assert run.running(), run.error_tail()
        time.sleep(s.random.uniform(0, 0.8))
        run.kill()
    load.stop()
    s.sync_until_caught_up(source.uri(), target, "--name", "killed", seconds=300)
    s.equal(source, target, tables=TABLES)
    same_schema(source, target)


# its rows take their time in the target
SLOW = """
CREATE FUNCTION takes_its_time(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
CREATE TABLE slow (id int PRIMARY KEY CHECK (takes_its_time(id)), customer bigint NOT NULL REFERENCES shop.customer); INSERT INTO slow SELECT i, i FROM generate_series(1, 300) i;
CREATE OR REPLACE FUNCTION takes_its_time(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pg_catalog.pg_sleep(0.01); RETURN true; END';
"""


def mixed(s):
    """A table that was finished before the kill is older than one that was not: the foreign key between them holds when the stream has caught up, and is checked then."""
    source = s.server()
    source.sql(SCHEMA + SLOW)
    target = s.target("postgres")
    run = s.sync(source.uri(), target, "--name", "mixed", "-j", "3")
    done = "SELECT count(*) FROM pgconvoy.copy_item WHERE item LIKE 'TABLE DATA % {}'"
    scenario.wait_for(lambda: target.server.sql(done.format("shop.customer"), target.database, check=False) == "1", 60, "the customers are copied")
    run.kill()
    assert target.query(done.format("public.slow")) == "0"
    source.sql("INSERT INTO shop.customer (name) VALUES ('later'); INSERT INTO slow VALUES (301, currval('shop.customer_id_seq'))")
    run = s.sync_until_caught_up(source.uri(), target, "--name", "mixed")
    assert "checked when the stream has caught up" in run.stderr, run.stderr
    s.equal(source, target, tables=[*TABLES, ("public", "slow")])
    same_schema(source, target)
    assert target.query("SELECT to_regclass('pgconvoy.copy_item') IS NULL") == "t", "the state of the copy was left"


def partitions(s):
    """A partition that is new at the source is made when a row asks for it, without a word of the definition in the stream."""
    source = s.server()
    source.sql("CREATE TABLE months (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);"
               "CREATE TABLE first PARTITION OF months FOR VALUES FROM ('2026-01-01') TO ('2026-02-01'); INSERT INTO months SELECT i, '2026-01-05' FROM generate_series(1, 100) i")
    target = s.target("postgres")
    run = s.sync(source.uri(), target, "--name", "months", "--ddl", "off")
    scenario.wait_for(lambda: source.sql("SELECT bool_or(active) FROM pg_replication_slots WHERE slot_name = 'pgconvoy_months'") == "t", 60, "it streams")
    source.sql("CREATE TABLE second PARTITION OF months FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') PARTITION BY LIST (id);"
               "CREATE TABLE second_all PARTITION OF second DEFAULT; INSERT INTO months VALUES (7, '2026-02-02'), (8, '2026-01-02')")
    scenario.wait_for(lambda: target.query("SELECT to_regclass('second_all') IS NOT NULL AND (SELECT count(*) FROM months) = 102") == "t", 60, "the new partition has its row")
    assert run.stop() == 0, run.error_tail()
    s.equal(source, target, tables=[("public", "months"), ("public", "second_all"), ("public", "first")])
    s.pgconvoy("drop", "months", "--state-dir", s.state).ok()


def as_nobody(s):
    """A role that may make tables in one schema, and no more."""
    source = s.server()
    source.sql(SCHEMA.replace("shop.", "public.").replace("CREATE SCHEMA shop; COMMENT ON SCHEMA shop IS 'of the shop';", "") + "CREATE ROLE other; GRANT SELECT ON serial TO other")
    there = s.server()
    there.sql("CREATE ROLE nobody LOGIN; CREATE DATABASE target; REVOKE ALL ON DATABASE target FROM PUBLIC; GRANT CONNECT ON DATABASE target TO nobody")
    there.sql("CREATE SCHEMA pgconvoy AUTHORIZATION nobody; GRANT ALL ON SCHEMA public TO nobody", "target")
    run = s.pgconvoy("sync", source.uri(), there.uri("target", "nobody"), "--name", "nobody", "--until", "caught-up").ok()
    assert "owners and privileges are left out" in run.stderr and "left out: fk constraint public.sold itself" in run.stderr and "left out: trigger public.customer touch" in run.stderr, run.stderr
    source.sql("INSERT INTO customer (name) VALUES ('after'); DELETE FROM sold WHERE id = 60000")
    s.pgconvoy("sync", source.uri(), there.uri("target", "nobody"), "--name", "nobody", "--until", "caught-up").ok()
    for table in ("customer", "sold", "serial", "parts", "keyless"):
        assert sorted(source.copy_out(f"SELECT t::text FROM {table} t")) == sorted(there.copy_out(f"SELECT t::text FROM {table} t", "target")), table
    assert there.sql("SELECT count(*) FROM pg_constraint WHERE contype = 'f'", "target") == "0"
    assert there.sql("SELECT count(*) FROM pg_index WHERE indrelid = 'sold'::regclass", "target") == "3"


CASES = {"definitions": definitions, "killed": killed, "mixed": mixed, "partitions": partitions, "as_nobody": as_nobody}


def main(s):
    CASES[s.case](s)


LONG = ["killed"]
whole = os.environ.get("SCENARIO_FULL") or sys.argv[1:] not in ([], ["--list"])
scenario.run(main, cases=[case for case in CASES if whole or case not in LONG])
