#!/usr/bin/env python3
"""`sync` into PostgreSQL makes the tables as they are at the source, with all that belongs to them: the stock pg_dump writes the same of both ends, also when it was killed on the way."""
import os
import shutil
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
CREATE EXTENSION btree_gist; CREATE EXTENSION pg_trgm; CREATE EXTENSION citext;
CREATE TABLE booked (room int, during tsrange, guest text, EXCLUDE USING gist (room WITH =, during WITH &&)); CREATE INDEX ON booked USING gin (guest gin_trgm_ops) WHERE lower(guest::citext::text) <> '';
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
    scenario.wait_for(lambda: "streaming changes" in run.stderr, 60, "it streams")
    source.sql("CREATE TABLE second PARTITION OF months FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') PARTITION BY LIST (id);"
               "CREATE TABLE second_all PARTITION OF second DEFAULT; INSERT INTO months VALUES (7, '2026-02-02'), (8, '2026-01-02')")
    scenario.wait_for(lambda: target.query("SELECT to_regclass('second_all') IS NOT NULL AND (SELECT count(*) FROM months) = 102") == "t", 60, "the new partition has its row")
    assert run.stop() == 0, run.error_tail()
    s.equal(source, target, tables=[("public", "months"), ("public", "second_all"), ("public", "first")])
    s.pgconvoy("drop", "months", "--state-dir", s.state).ok()


def as_nobody(s):
    """A role that may make tables in one schema, and no more."""
    source = s.server()
    source.sql(SCHEMA.replace("shop.", "public.").replace("CREATE SCHEMA shop; COMMENT ON SCHEMA shop IS 'of the shop';", "") + "CREATE ROLE other; GRANT SELECT ON serial TO other; SELECT lo_create(0), lo_create(0)")
    there = s.server()
    there.sql("CREATE ROLE nobody LOGIN; CREATE DATABASE target; REVOKE ALL ON DATABASE target FROM PUBLIC; GRANT CONNECT ON DATABASE target TO nobody")
    there.sql("CREATE SCHEMA pgconvoy AUTHORIZATION nobody; GRANT ALL ON SCHEMA public TO nobody; CREATE EXTENSION btree_gist; CREATE EXTENSION pg_trgm; CREATE EXTENSION citext", "target")
    run = s.pgconvoy("sync", source.uri(), there.uri("target", "nobody"), "--name", "nobody", "--until", "caught-up").ok()
    assert "left out: 2 large objects" in run.stderr and "owners and privileges are left out" in run.stderr and "left out: fk constraint public.sold itself" in run.stderr and "left out: trigger public.customer touch" in run.stderr, run.stderr
    source.sql("INSERT INTO customer (name) VALUES ('after'); DELETE FROM sold WHERE id = 60000")
    s.pgconvoy("sync", source.uri(), there.uri("target", "nobody"), "--name", "nobody", "--until", "caught-up").ok()
    for table in ("customer", "sold", "serial", "parts", "keyless"):
        assert sorted(source.copy_out(f"SELECT t::text FROM {table} t")) == sorted(there.copy_out(f"SELECT t::text FROM {table} t", "target")), table
    assert there.sql("SELECT count(*) FROM pg_constraint WHERE contype = 'f'", "target") == "0"
    assert there.sql("SELECT count(*) FROM pg_index WHERE indrelid = 'sold'::regclass", "target") == "3"


def unavailable(s):
    """--skip-unavailable: what the target cannot have is left out, with the tables that need it, as long as it cannot; the other tables are synced."""
    source, there = s.server(), s.server()
    place = os.path.join(s.folder, "place")
    os.mkdir(place)
    shutil.chown(place, os.stat(source.data).st_uid)
    source.sql(f"CREATE TABLESPACE fast LOCATION '{place}'")
    source.sql("CREATE TABLE t (id int PRIMARY KEY) TABLESPACE fast; CREATE TABLE u (id int PRIMARY KEY, n int); CREATE INDEX on_u ON u (n) TABLESPACE fast; CREATE TABLE refers (id int PRIMARY KEY REFERENCES t);"
               "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE p_2 PARTITION OF p DEFAULT TABLESPACE fast;"
               "INSERT INTO t VALUES (1), (2); INSERT INTO u VALUES (1, 1), (2, 2); INSERT INTO p VALUES (1), (11); INSERT INTO refers VALUES (1)")
    target = s.target("postgres", there)
    ends = [source.uri(), target, "--name", "some"]
    s.sync(*ends, "--until", "caught-up").fails(1, ["the target cannot have", "fast", "--skip-unavailable"])
    s.nothing_left(source, target)
    run = s.sync_until_caught_up(*ends, "--skip-unavailable", "--index-jobs", "1")
    for what in ("table public.t (", "table public.p_2 (", "table public.p (", "table public.p_1 (", "index public.on_u", "fk constraint public.refers refers_id_fkey"):
        assert f"left out: {what}" in run.stderr, f"{what}: {run.stderr}"
    s.equal(source, target, tables=[("public", "u"), ("public", "refers")])
    assert target.query("SELECT count(*) FROM pg_class WHERE relname IN ('t', 'p', 'p_1', 'p_2', 'on_u')") == "0"
    # what is left out changes, and stays out
    source.sql("INSERT INTO t VALUES (3); DELETE FROM u WHERE id = 1; INSERT INTO p VALUES (2), (12); ALTER TABLE t ADD more int DEFAULT 7; ALTER TABLE u ADD more int DEFAULT 7; INSERT INTO u VALUES (3, 3, 3); UPDATE t SET more = 8 WHERE id = 1")
    run = s.sync_until_caught_up(*ends, "--skip-unavailable")
    assert "left out: table public.t (" in run.stderr, run.stderr
    s.equal(source, target, tables=[("public", "u"), ("public", "refers")])
    # until the target can have it
    os.mkdir(place + "_there")
    shutil.chown(place + "_there", os.stat(source.data).st_uid)
    there.sql(f"CREATE TABLESPACE fast LOCATION '{place}_there'")
    s.sync_until_caught_up(*ends, "--skip-unavailable")
    s.equal(source, target, tables=[("public", name) for name in ("t", "u", "p", "refers")])


def older(s):
    """The same of an older server that does not know a type."""
    source, there = s.server(), s.server({}, scenario.embedded_postgres(13))
    source.sql("CREATE TABLE new (id int PRIMARY KEY, ranges int4multirange); CREATE TABLE old (id int PRIMARY KEY, n int); CREATE UNIQUE INDEX nulls ON old (n) NULLS NOT DISTINCT; INSERT INTO new VALUES (1); INSERT INTO old VALUES (1)")
    target = s.target("postgres", there)
    ends = [source.uri(), target, "--name", "older"]
    s.sync(*ends, "--until", "caught-up").fails(1, ["ranges", "int4multirange", "too old"])
    s.nothing_left(source, target)
    checked = s.pgconvoy("check", source.uri(), target.uri, "--skip-unavailable")
    assert checked.wait() == 0 and "int4multirange" in checked.stdout, checked.stdout
    dry = s.sync(*ends, "--skip-unavailable", "--dry-run").ok()
    assert "would leave out public.new" in dry.stderr and "would copy public.old" in dry.stderr, dry.stderr
    for _ in range(2):
        run = s.sync_until_caught_up(*ends, "--skip-unavailable")
        assert "left out: table public.new (" in run.stderr, run.stderr
        s.equal(source, target, tables=[("public", "old")])
        source.sql("INSERT INTO new VALUES (2); INSERT INTO old VALUES (2, 2)" if _ == 0 else "")
    assert target.query("SELECT to_regclass('new') IS NULL AND to_regclass('nulls') IS NULL") == "t"


def base_types(s):
    """A base type of the user's own comes with the tables that need it, also later ones; what cannot be made is said before anything is changed."""
    source, there = s.server(), s.server()
    # as an int4 is read and written
    make = ("CREATE TYPE {0}; CREATE FUNCTION {0}_in(cstring) RETURNS {0} LANGUAGE internal IMMUTABLE STRICT AS 'int4in'; CREATE FUNCTION {0}_out({0}) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';"
            "CREATE TYPE {0} (INPUT = {0}_in, OUTPUT = {0}_out, INTERNALLENGTH = 4, PASSEDBYVALUE, ALIGNMENT = int4);")
    source.sql(make.format("grade") + "CREATE TABLE t (id int PRIMARY KEY, g grade, many grade[], v text); INSERT INTO t VALUES (1, '7', '{1,2}', 'a'), (2, NULL, NULL, 'b'); CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1)")
    target = s.target("postgres", there)
    ends = [source.uri(), target, "--name", "grades"]
    there.sql("CREATE ROLE plain LOGIN; GRANT ALL ON DATABASE target TO plain; GRANT ALL ON SCHEMA public TO plain", "target")
    s.pgconvoy("sync", source.uri(), there.uri("target", user="plain"), "--name", "grades", "--until", "caught-up").fails(1, ["grade", "superuser"])
    s.nothing_left(source, target)
    checked = s.pgconvoy("check", source.uri(), target.uri)
    assert checked.wait() == 0 and "type public.grade is not on the target" in checked.stdout, checked.stdout
    s.sync_until_caught_up(*ends)
    s.equal(source, target, tables=[("public", "t"), ("public", "u")])
    source.sql("UPDATE t SET g = '8', many = many || '9'::grade WHERE id = 1; INSERT INTO t VALUES (3, '-1', '{}', 'c');" + make.format("rank")
               + "CREATE TABLE later (id int PRIMARY KEY, r rank); INSERT INTO later VALUES (1, '5'); ALTER TABLE u ADD r rank DEFAULT '3'; INSERT INTO u VALUES (2, '4')")
    s.sync_until_caught_up(*ends)
    s.equal(source, target, tables=[("public", "t"), ("public", "u"), ("public", "later")])


def whose(s):
    """Owners and privileges: made with --roles, left out with -O and -x, and otherwise where the target has their roles."""
    source, there = s.server(), s.server()
    source.sql("CREATE ROLE keeper; CREATE ROLE reader LOGIN; CREATE TABLE kept (id int PRIMARY KEY); INSERT INTO kept VALUES (1); ALTER TABLE kept OWNER TO keeper; GRANT SELECT ON kept TO reader")
    of = "SELECT relowner::regrole || ' ' || coalesce(relacl::text, '') FROM pg_class WHERE relname = 'kept'"
    whole = source.sql(of)
    expected = {("-O", "-x"): "postgres ", (): "postgres ", ("--roles",): whole, ("-x",): "keeper ", ("-O",): "postgres {postgres=arwdDxt/postgres,reader=r/postgres}"}
    for i, (options, owner) in enumerate(expected.items()):
        target = s.target("postgres", there, f"target{i}")
        run = s.sync_until_caught_up(source.uri(), target, "--name", f"whose{i}", *options)
        assert target.query(of) == owner, f"{options}: {target.query(of)}"
        assert ("owners and privileges are left out: the target's server lacks 2 roles" in run.stderr) == (not options), run.stderr
        s.equal(source, target, tables=[("public", "kept")])
    assert there.sql("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'reader'") == "t"


def elsewhere(s):
    """The options of tables that are made in PostgreSQL are refused where none are."""
    source = s.server()
    source.sql("CREATE TABLE t (id int PRIMARY KEY)")
    target = s.target("postgres")
    for options in (["--index-jobs", "2"], ["--roles"], ["--skip-unavailable"], ["-O"], ["-x"]):
        name = {"-O": "--no-owner", "-x": "--no-acl"}.get(options[0], options[0])
        for command in ("sync", "copy"):
            s.pgconvoy(command, source.uri(), "duckdb:" + os.path.join(s.folder, "x.duckdb"), *options).fails(2, f"{name} is for tables that are made in PostgreSQL")
    s.pgconvoy("stream", source.uri(), target.uri, "-O").fails(2, "--no-owner is for tables that are made in PostgreSQL")
    s.pgconvoy("sync", source.uri(), target.uri, "--index-jobs", "0").fails(2, "--index-jobs cannot be")
    s.nothing_left(source, target)


CASES = {"definitions": definitions, "killed": killed, "mixed": mixed, "partitions": partitions, "as_nobody": as_nobody, "unavailable": unavailable, "base_types": base_types, "older": older, "whose": whose, "elsewhere": elsewhere}


def main(s):
    CASES[s.case](s)


LONG = ["killed", "base_types", "older", "whose", "elsewhere"]
whole = os.environ.get("SCENARIO_FULL") or sys.argv[1:] not in ([], ["--list"])
scenario.run(main, cases=[case for case in CASES if whole or case not in LONG])
