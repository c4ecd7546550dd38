#!/usr/bin/env python3
"""With --apply-jobs several connections to the target apply a batch together. What they come to is the source, also when pgconvoy ends after
some of them have committed and another number of them goes on, and when something comes that cannot be split."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = """
CREATE TABLE big (id int PRIMARY KEY, n int, note text);
CREATE TABLE pair (a bigint, b smallint, n int, PRIMARY KEY (a, b));
CREATE TABLE marks (id uuid PRIMARY KEY, n int);
CREATE TABLE parent (id int PRIMARY KEY, n int);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent, n int);
CREATE TABLE held (id int PRIMARY KEY, place int UNIQUE);
CREATE TABLE heap (id int, n int);
ALTER TABLE heap REPLICA IDENTITY FULL;
CREATE TABLE emptied (id int PRIMARY KEY);
CREATE TABLE wide (id int PRIMARY KEY, n int, big text);
ALTER TABLE wide ALTER big SET STORAGE EXTERNAL;
INSERT INTO big SELECT i, i, 'note' FROM generate_series(1, 3000) AS i;
INSERT INTO pair SELECT i / 10, i % 10, i FROM generate_series(1, 1000) AS i;
INSERT INTO marks SELECT md5(i::text)::uuid, i FROM generate_series(1, 1000) AS i;
INSERT INTO parent SELECT i, i FROM generate_series(1, 100) AS i;
INSERT INTO child SELECT i, 1 + i % 100, i FROM generate_series(1, 1000) AS i;
INSERT INTO held SELECT i, i FROM generate_series(1, 500) AS i;
INSERT INTO heap SELECT i, i FROM generate_series(1, 50) AS i;
INSERT INTO emptied SELECT i FROM generate_series(1, 50) AS i;
INSERT INTO wide SELECT i, i, repeat('wide ' || i, 1000) FROM generate_series(1, 50) AS i;
"""
# each several times what is worth more than one connection; rows are changed more than once, and values change hands
LOAD = """
BEGIN;
INSERT INTO big SELECT i, i, 'new' FROM generate_series(10001, 16000) AS i;
UPDATE big SET n = n + 1 WHERE id <= 2000 OR id > 12000;
DELETE FROM big WHERE id % 7 = 0;
INSERT INTO pair SELECT i, 1, i FROM generate_series(1001, 2500) AS i;
UPDATE pair SET n = -n WHERE b = 1;
INSERT INTO marks SELECT md5(i::text)::uuid, i FROM generate_series(2001, 3500) AS i;
COMMIT;
BEGIN;
INSERT INTO parent SELECT i, i FROM generate_series(1001, 2000) AS i;
INSERT INTO child SELECT i, i, i FROM generate_series(1001, 2000) AS i;
UPDATE child SET parent = 1001 + id % 1000;
DELETE FROM parent WHERE id <= 100;
COMMIT;
BEGIN;
UPDATE held SET place = -place;
UPDATE held SET place = 501 + place;
INSERT INTO held SELECT i, i FROM generate_series(501, 1500) AS i;
UPDATE heap SET n = n + 1 WHERE id % 5 = 0;
DELETE FROM heap WHERE id = 7;
INSERT INTO heap SELECT i, i FROM generate_series(101, 1100) AS i;
UPDATE wide SET n = n + 1;
UPDATE marks SET n = n + 1;
COMMIT;
"""
JOBS = ["--name", "it", "--apply-jobs"]
TOGETHER = "large batches of changes are applied by 3 connections"


def begin(s):
    source = s.server()
    source.sql(TABLES)
    target = s.target("postgres")
    s.sync_until_caught_up(source.uri(), target, *JOBS, 3)
    return source, target


def no_part_is_left(target):
    assert target.query("SELECT count(*) FROM pgconvoy.apply_part") == "0"


def nobody_waits(s):
    """That would heal, by one connection, and not be seen."""
    for run in s.runs:
        assert "lock timeout" not in run.stderr, run.stderr


def a_backlog(s):
    source, target = begin(s)
    source.sql(LOAD)
    run = s.sync_until_caught_up(source.uri(), target, *JOBS, 3)
    assert TOGETHER in run.stderr and "cannot be split" not in run.stderr, run.stderr
    s.equal(source, target)
    no_part_is_left(target)
    # an origin is one session's: there is one for each, and none is left
    assert target.query("SELECT count(*) FROM pg_replication_origin WHERE roname ~ '_it(/[12])?$'") == "3"
    s.pgconvoy("drop", source.uri(), target.uri, "--name", "it").ok()
    assert target.query("SELECT count(*) FROM pg_replication_origin") == "0"
    assert target.query("SELECT to_regnamespace('pgconvoy') IS NULL") == "t"
    s.pgconvoy("sync", source.uri(), "-", "--apply-jobs", "2").fails(2, "--apply-jobs cannot be had with the target stdout")
    s.pgconvoy("sync", source.uri(), target.uri, "--apply-jobs", "0").fails(2, "--apply-jobs")


# The stream's own connection commits last: here that fails, as often as it is tried.
LAST_COMMIT_FAILS = """
CREATE SCHEMA away; CREATE TABLE away.now AS SELECT 1;
CREATE FUNCTION away.fail() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF EXISTS (SELECT FROM away.now) THEN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END IF; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER fail AFTER UPDATE ON pgconvoy.pipeline DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.lsn <> NEW.lsn) EXECUTE FUNCTION away.fail();
ALTER TABLE pgconvoy.pipeline ENABLE ALWAYS TRIGGER fail;
"""


def interrupted(s):
    """By a kill between the commits; five connections, or one, or three, go on. SCENARIO_FULL=1: all of these."""
    source, target = begin(s)
    target.query("DELETE FROM big WHERE id IN (10, 11, 12); DELETE FROM child WHERE id = 5; DELETE FROM held WHERE id = 3")
    target.query(LAST_COMMIT_FAILS)
    for round, jobs in enumerate([5, 1, 3] if os.environ.get("SCENARIO_FULL") else [5]):
        source.sql(LOAD if round == 0 else f"UPDATE big SET n = {round}; UPDATE marks SET n = {round}; UPDATE child SET n = {round}; UPDATE pair SET n = {round}")
        before = target.query("SELECT lsn FROM pgconvoy.pipeline")
        run = s.sync(source.uri(), target, *JOBS, 3)
        scenario.wait_for(lambda: "not now" in run.stderr or not run.running(), 120, "the last commit fails")
        scenario.wait_for(lambda: target.query("SELECT count(*) FROM pgconvoy.apply_part WHERE part > 0") == "2", 60, "two parts are there")
        run.kill()
        assert target.query("SELECT lsn FROM pgconvoy.pipeline") == before
        if round == 2:  # a key whose columns have other widths since is told all the same
            source.sql("ALTER TABLE big ALTER id TYPE bigint")
        target.query("DELETE FROM away.now")
        s.sync_until_caught_up(source.uri(), target, "--name", "it", *(["--apply-jobs", jobs] if jobs > 1 else []))
        s.equal(source, target)
        no_part_is_left(target)
        target.query("INSERT INTO away.now VALUES (1)")
    # each conflict is counted once, whoever met it: 10, 11, 12, and 5 and 3; the rest of the changes of these rows find them again
    counts = target.query("SELECT table_name, kind, count FROM pgconvoy.conflict_count WHERE pipeline = 'it' ORDER BY 1, 2")
    assert counts == "big|update_missing|3\nchild|update_missing|1\nheld|update_missing|1", counts
    status = json.loads(s.pgconvoy("status", "it", "--json").ok().stdout)
    assert sum(conflict["count"] for conflict in status["conflicts"]) == 5, status


# Each comes behind and before what several connections apply.
NOT_SPLIT = {
    "a truncate": "BEGIN; INSERT INTO big VALUES (-1, 1, 'a'); TRUNCATE emptied; INSERT INTO emptied VALUES (1); INSERT INTO big VALUES (-2, 1, 'b'); COMMIT",
    "a key that leaves its slice": "BEGIN; UPDATE marks SET id = md5(id::text)::uuid WHERE n % 100 = 0; UPDATE pair SET b = b + 100 WHERE a % 10 = 0; COMMIT",
    "a command": "BEGIN; UPDATE big SET note = 'c' WHERE id = -1; ALTER TABLE big ADD more text; UPDATE big SET more = 'more' WHERE id % 3 = 0; COMMIT",
    "a table whose triggers fire": "INSERT INTO watched VALUES (1)",
    "a truncate in a large transaction": "BEGIN; INSERT INTO big (id, n) SELECT i, i FROM generate_series(20001, 60000) AS i; TRUNCATE emptied; COMMIT",
}
MORE = "UPDATE marks SET n = n + 1; UPDATE child SET n = n + 1; UPDATE pair SET n = n + 1; UPDATE held SET id = id + 10000; UPDATE wide SET n = n + 1"


def what_cannot_be_split(s):
    source, target = begin(s)
    source.sql("CREATE TABLE watched (id int PRIMARY KEY)")
    s.sync_until_caught_up(source.uri(), target, *JOBS, 3)
    target.query("CREATE TABLE seen (n int); CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen SELECT count(*) FROM public.marks; "
                 "RETURN NULL; END $$; CREATE TRIGGER watch AFTER INSERT ON watched EXECUTE FUNCTION watch(); ALTER TABLE watched ENABLE ALWAYS TRIGGER watch")
    source.sql(LOAD)
    for what, command in NOT_SPLIT.items():
        source.sql(MORE)
        source.sql(command)
        source.sql(MORE + "; INSERT INTO emptied VALUES (2 + (SELECT max(id) FROM emptied))" if "truncate" not in what else MORE)
        run = s.sync_until_caught_up(source.uri(), target, *JOBS, 3)
        again = "changes that cannot be split among connections: one of them takes it" in run.stderr
        assert TOGETHER in run.stderr and again == ("large" in what), (what, run.stderr)
        s.equal(source, target)
        no_part_is_left(target)
    # what fired saw all that came before
    assert target.query("SELECT n FROM seen") == source.sql("SELECT count(*) FROM marks")


CASES = {"a_backlog": a_backlog, "interrupted": interrupted, "what_cannot_be_split": what_cannot_be_split}


def main(s):
    CASES[s.case](s)
    nobody_waits(s)


scenario.run(main, cases=list(CASES))
