#!/usr/bin/env python3
"""A copy from PostgreSQL to PostgreSQL that was killed at any moment goes on with what is not done when the same command is run again, and ends equal; so does one
whose target was restarted under it."""
import json
import os
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))
sys.path.insert(0, os.path.join(HERE, "../../dump/lib"))
import copying
import dumping
import scenario
from scenario import wait_for

KILLS = int(os.environ.get("KILLS", "2"))
TABLES = """
CREATE TABLE large (id int PRIMARY KEY, other int UNIQUE, v text);
INSERT INTO large SELECT i, i, repeat(md5(i::text), 20) FROM generate_series(1, 40000) i;
CREATE INDEX ON large (v); CREATE INDEX ON large (md5(v));
CREATE TABLE second (id int PRIMARY KEY, large int REFERENCES large, v text);
INSERT INTO second SELECT i, i, md5(i::text) FROM generate_series(1, 20000) i;
CREATE INDEX ON second (v);
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM second;
SELECT lo_from_bytea(0, convert_to(repeat('large', 100000), 'UTF8'));
CREATE SEQUENCE s; SELECT nextval('s'), nextval('s');
DO $$ BEGIN FOR i IN 1..60 LOOP
    EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, other int %s, name text)', i, CASE WHEN i > 1 THEN format('REFERENCES t%s', i - 1) END);
    EXECUTE format('INSERT INTO t%s SELECT n, n, md5(n::text) FROM generate_series(1, 20) n', i);
    EXECUTE format('CREATE INDEX ON t%s (other)', i);
END LOOP; END $$;
"""


def start(s, source, server, target, *options):
    return s.pgconvoy("copy", source.socket_conninfo("source"), server.socket_conninfo(target), "-j", "3", *options)


def fresh(server, name):
    server.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    server.sql(f"CREATE DATABASE {name} TEMPLATE template0")


def finished(server, target):
    """Is the copy's state gone? Then a kill came too late for anything to be left to do."""
    return server.sql("SELECT to_regclass('pgconvoy.copy') IS NULL AND to_regclass('public.second') IS NOT NULL", target) == "t"


def has_begun(server, target):
    """Has the copy's state something that need not be done again?"""
    return server.sql("SELECT to_regclass('pgconvoy.copy_item') IS NOT NULL", target) == "t" and server.sql("SELECT count(*) FROM pgconvoy.copy_item", target) != "0"


def killed(s):
    source, server = s.server({"autovacuum": "off"}), s.server({"autovacuum": "off"})
    source.create_database("source", TABLES)
    expected = copying.dump(source, "source")
    fresh(server, "target")
    whole = start(s, source, server, "target")
    whole.ok()
    went_on = 0
    for number in range(KILLS):
        fresh(server, "target")
        for attempt in range(3):
            run = start(s, source, server, "target")
            if number == attempt == 0:  # by chance all of them may come too late
                scenario.wait_for(lambda: has_begun(server, "target") or not run.running(), 60, "something is done")
            else:
                time.sleep(s.random.uniform(0.05, whole.seconds * 0.7))
            done = not run.running()
            run.send(signal.SIGKILL)
            run.wait()
            went_on += "going on" in run.stderr
            if done or finished(server, "target"):
                break
        if not finished(server, "target"):
            last = start(s, source, server, "target").ok()
            went_on += "going on" in last.stderr
            assert "may have changed" not in last.stderr, last.stderr
        copying.same(f"after kill {number + 1}", expected, copying.dump(server, "target"))
        copying.nothing_of_ours(server, "target")
    assert went_on, "no run went on where another was killed"


def stopped(s):
    source, server = s.server(), s.server()
    source.create_database("source", TABLES)
    fresh(server, "target")
    run = start(s, source, server, "target", "--name", "moving", "--progress", "json")
    count = "SELECT count(*) FROM pgconvoy.copy_item WHERE item LIKE 'TABLE DATA %'"
    wait_for(lambda: int(server.sql(count, "target", check=False) or 0) > 20, 30, "many tables are done")
    wait_for(lambda: os.path.exists(os.path.join(s.folder, "state/moving/status.json")), 30, "the copy says how far it is")
    shown = json.loads(s.pgconvoy("status", "moving", "--json").ok().stdout)
    assert shown["kind"] == "copy" and shown["running"] and "dbname='source'" in shown["source"], shown
    assert run.stop() == 1 and "run the same command again" in run.stderr, run.stderr
    # nothing of it is at work any more, and the source changes
    source.sql("INSERT INTO second VALUES (0, 1, 'new'); INSERT INTO large VALUES (0, 0, 'new')", "source")
    again = start(s, source, server, "target", "--name", "moving", "--consistent").ok()
    assert "may have changed" in again.stderr, again.stderr
    lines = [json.loads(line) for line in run.stderr.split("\n") if line.startswith("{")]
    assert lines and all(line["pipeline"] == "moving" for line in lines), run.stderr
    shown = s.pgconvoy("status", "moving").ok().stdout
    assert "copy, not running" in shown and "done as of" in shown and "public.large" in shown, shown
    copying.same("consistent after a stop and a change", copying.dump(source, "source"), copying.dump(server, "target"))
    copying.nothing_of_ours(server, "target")


def restarted(s):
    source, target = s.server(), s.server()
    source.create_database("source", TABLES + SLOW)
    source.sql("CHECKPOINT", "source") # a crash would else skip values of a sequence
    target.sql("CREATE DATABASE target")
    run = s.pgconvoy("copy", source.socket_conninfo("source"), target.socket_conninfo("target"), "-j", "2")
    wait_for(lambda: target.sql("SELECT to_regclass('public.large')", "target"), 30, "the copy has begun")
    target.restart("immediate")
    run.ok()
    assert "trying again" in run.stderr, run.stderr
    copying.same("after a crash of the target", copying.dump(source, "source"), copying.dump(target, "target"))
    copying.nothing_of_ours(target, "target")


# its rows take their time in the target, so that the source is still being read when it is restarted
SLOW = """CREATE FUNCTION takes_its_time(text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
CREATE TABLE slow (i int, v text CHECK (takes_its_time(v)));
INSERT INTO slow SELECT i, repeat(md5(i::text), 1500) FROM generate_series(1, 200) AS i;
CREATE OR REPLACE FUNCTION takes_its_time(text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pg_catalog.pg_sleep(0.01); RETURN true; END';"""


def source_restarted(s):
    source, target = s.server(), s.server()
    source.create_database("source", TABLES + SLOW)
    source.sql("CHECKPOINT", "source") # a crash would else skip values of a sequence
    target.sql("CREATE DATABASE target")
    run = s.pgconvoy("copy", source.socket_conninfo("source"), target.socket_conninfo("target"), "-j", "2")
    wait_for(lambda: target.sql("SELECT count(*) > 3 FROM pgconvoy.copy_item WHERE item LIKE 'TABLE DATA %'", "target", check=False) == "t", 30, "some tables are done")
    source.restart("immediate")
    run.ok()
    assert "trying again" in run.stderr, run.stderr
    copying.same("after a crash of the source", copying.dump(source, "source"), copying.dump(target, "target"))
    copying.nothing_of_ours(target, "target")


def as_nobody(s):
    """Rows that come again into tables with foreign keys and triggers, by a role that cannot silence those."""
    source, target = s.server(), s.server()
    source.create_database("source", """CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE a_child (id int PRIMARY KEY, parent int CONSTRAINT fk REFERENCES parent, n int DEFAULT 0);
        COMMENT ON CONSTRAINT fk ON a_child IS 'of the family';
        CREATE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.n := NEW.n + 1; RETURN NEW; END';
        INSERT INTO parent SELECT generate_series(1, 1000); INSERT INTO a_child SELECT i, i FROM generate_series(1, 30000, 30) i JOIN parent ON parent.id = i;
        CREATE TRIGGER up BEFORE INSERT ON a_child FOR EACH ROW EXECUTE FUNCTION count_up();
        CREATE FUNCTION wait() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'; CREATE MATERIALIZED VIEW slow AS SELECT public.wait();
        CREATE OR REPLACE FUNCTION wait() RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM pg_catalog.pg_sleep(60); RETURN 1; END'""")
    target.sql("CREATE ROLE nobody LOGIN; CREATE DATABASE target OWNER nobody TEMPLATE template0")
    command = ["copy", source.socket_conninfo("source"), target.socket_conninfo("target", "nobody"), "-j", "2", "-O", "-x"]
    run = s.pgconvoy(*command)
    wait_for(lambda: target.sql("SELECT count(*) >= 2 FROM pgconvoy.copy_item WHERE item LIKE 'FK CONSTRAINT %' OR item LIKE 'TRIGGER %'", "target", check=False) == "t", 30, "all but the view is done")
    run.send(signal.SIGKILL)
    run.wait()
    source.sql("INSERT INTO parent VALUES (5000); INSERT INTO a_child VALUES (5001, 5000); CREATE OR REPLACE FUNCTION wait() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'", "source")
    target.sql("CREATE OR REPLACE FUNCTION wait() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'", "target")
    s.pgconvoy(*command, "--consistent").ok()
    options = ["-O", "-x"]
    copying.same("consistent, as nobody", copying.dump(source, "source", *options), copying.dump(target, "target", *options))


def resized(s):
    """What was begun in the steps of a large table, or done at once as for a small one, is not begun anew where the table has another size by then."""
    source, target = s.server({"autovacuum": "off"}), s.server()
    fill = "INSERT INTO %s SELECT i, i, repeat('x', 100) FROM generate_series(%d, %d) AS i"
    source.create_database("source", f"""CREATE TABLE grows (id int PRIMARY KEY, other int UNIQUE, v text); {fill % ("grows", 1, 10)};
        CREATE TABLE shrinks (id int PRIMARY KEY, other int CONSTRAINT fk REFERENCES grows, v text); {fill.replace("i, i", "i, 1") % ("shrinks", 1, 20000)};
        CREATE FUNCTION may_end() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
            IF current_database() = 'target' AND to_regclass('public.now') IS NULL THEN RAISE EXCEPTION 'not yet'; END IF; RETURN true; END $$;
        CREATE MATERIALIZED VIEW the_last AS SELECT may_end();""")
    target.sql("CREATE DATABASE target")
    copy = ["copy", source.socket_conninfo("source"), target.socket_conninfo("target")]
    refused = s.pgconvoy(*copy)
    assert refused.wait() == 1 and "not yet" in refused.stderr, refused.stderr
    done = target.sql("SELECT item FROM pgconvoy.copy_item", "target")
    assert "CONSTRAINT" in done and "grows_pkey" in done and "FK VALIDATION" in done and "INDEX" in done and "shrinks_pkey" in done, done
    # as a kill between the steps leaves it
    target.sql("""ALTER TABLE shrinks DROP CONSTRAINT shrinks_pkey, DROP CONSTRAINT fk; CREATE UNIQUE INDEX shrinks_pkey ON shrinks (id);
        ALTER TABLE shrinks ADD CONSTRAINT fk FOREIGN KEY (other) REFERENCES grows NOT VALID;
        DELETE FROM pgconvoy.copy_item WHERE item LIKE 'CONSTRAINT %shrinks_pkey' OR item LIKE 'FK VALIDATION %'""", "target")
    source.sql(fill % ("grows", 11, 20000) + "; DELETE FROM shrinks WHERE id > 10", "source")
    source.sql("VACUUM FULL shrinks", "source")
    target.sql("CREATE TABLE now ()", "target")
    s.pgconvoy(*copy).ok()
    assert target.sql("SELECT string_agg(conname || convalidated, ' ' ORDER BY conname) FROM pg_constraint WHERE conrelid IN ('grows'::regclass, 'shrinks'::regclass)", "target") == \
        "fktrue grows_other_keytrue grows_pkeytrue shrinks_pkeytrue"
    copying.nothing_of_ours(target, "target")


ALTERED = """
CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a, v text); CREATE TABLE counted (id serial PRIMARY KEY, v text); CREATE INDEX ON counted (v);
CREATE TABLE p (id int, d int, PRIMARY KEY (id, d)) PARTITION BY LIST (d); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2); CREATE INDEX ON p (d);
CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (x int) INHERITS (parent); CREATE TABLE "old.name" (id int PRIMARY KEY, v text); CREATE INDEX kept_name ON "old.name" (v);
CREATE VIEW on_a AS SELECT * FROM a; CREATE VIEW on_that AS SELECT count(*) FROM on_a; CREATE FUNCTION all_a() RETURNS SETOF a LANGUAGE sql AS 'SELECT * FROM a'; CREATE TABLE other (id int PRIMARY KEY, v text);
INSERT INTO a SELECT i, i FROM generate_series(1, 3000) i; INSERT INTO b SELECT i, i, 'b' FROM generate_series(1, 3000) i; INSERT INTO counted (v) SELECT i FROM generate_series(1, 500) i;
INSERT INTO p SELECT i, 1 + i % 2 FROM generate_series(1, 500) i; INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 2); INSERT INTO "old.name" SELECT i, i FROM generate_series(1, 500) i;
INSERT INTO other SELECT i, i FROM generate_series(1, 500) i;
CREATE FUNCTION may_end(id int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN IF current_database() <> 'source' AND to_regclass('public.now') IS NULL THEN RAISE EXCEPTION 'not yet'; END IF; RETURN id; END $$;
CREATE TABLE the_last (id int PRIMARY KEY, v int GENERATED ALWAYS AS (may_end(id)) STORED); INSERT INTO the_last VALUES (1)
"""


def altered(s):
    """Tables that were altered or renamed at the source between two runs are made and copied again, with what hangs on them; the others keep what they have."""
    source, target = s.server(), s.server()
    for command, mode in (("copy", []), ("sync", ["--until", "caught-up"])):
        source.sql("DROP DATABASE IF EXISTS source")
        source.create_database("source", ALTERED)
        target.sql(f"CREATE DATABASE {command}")
        ends = [command, source.socket_conninfo("source"), target.socket_conninfo(command), "--name", command, "-j", "1", *mode]
        s.pgconvoy(*ends).fails(1, ["the_last", "not yet"])
        target.sql("CREATE TABLE now (); UPDATE other SET v = 'of the first run'", command)
        source.sql("""ALTER TABLE a ADD more int DEFAULT 5; UPDATE a SET n = -n; ALTER TABLE p ADD x text; UPDATE p SET d = 3 - d WHERE id < 100; ALTER TABLE counted ALTER v TYPE varchar(10); INSERT INTO counted (v) VALUES ('new');
            ALTER TABLE parent ALTER id TYPE bigint; ALTER TABLE "old.name" RENAME TO "new.name"; INSERT INTO "new.name" VALUES (0, 'x')""", "source")
        run = s.pgconvoy(*ends).ok()
        assert run.stderr.count("has another definition at the source than when it was made on the target") == 7, run.error_tail()
        assert target.sql("SELECT DISTINCT v FROM other", command) == "of the first run", "a table that is as it was came again"
        target.sql("DROP TABLE now; UPDATE other SET v = id", command)
        if command == "copy":
            copying.same("after the change", copying.dump(source, "source"), copying.dump(target, "copy"))
            copying.nothing_of_ours(target, "copy")
            continue
        s.pgconvoy("drop", *ends[1:3], "--name", "sync").ok()
        verified = s.pgconvoy("verify", *ends[1:3], *sum((["-t", name] for name in ("a", "b", "p", "parent", "child", "counted", '"new.name"', "other")), []))
        assert verified.wait() == 0, verified.stdout


CASES = {"altered": altered, "as_nobody": as_nobody, "resized": resized, "killed": killed, "stopped": stopped, "restarted": restarted, "source_restarted": source_restarted}
scenario.run(lambda s: CASES[s.case](s), list(CASES))
