#!/usr/bin/env python3
"""Kills pgconvoy with SIGKILL at random moments, under load, and compares both ends at the end:

    tests/fault/kill_test.py --sink duckdb|postgres|stdout|clickhouse [--kills 30] [--seed N] [--scale 3] [--apply-jobs N]

Kills fall into the table copy, the hand-over to the stream, and the stream; every tenth kill a new pipeline begins, so that the first
two come up again and again. The moments come from the seed, which is printed. Each run is the very same command.
"""
import argparse
import collections
import os
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
os.environ.setdefault("TMPDIR", tempfile.gettempdir())
import scenario

TABLES = """
CREATE TABLE items (id bigint PRIMARY KEY, n int, at timestamptz DEFAULT now(), note text);
CREATE TABLE heap (id bigint, note text);
ALTER TABLE heap REPLICA IDENTITY FULL;
CREATE SEQUENCE numbers;
INSERT INTO items SELECT nextval('numbers'), i, now(), repeat(md5(i::text), 1 + (i % 100) / 99 * 100) FROM generate_series(1, 100000) AS i;
INSERT INTO heap SELECT i, md5(i::text) FROM generate_series(1, 200) AS i;
"""

# Beside pgbench's own: changes of keys, several changes of a row in one transaction, rollbacks, deletes, TOASTed values.
LOAD = """
\\set low random(1, 100000)
BEGIN;
INSERT INTO items SELECT nextval('numbers'), i, now(), 'new' FROM generate_series(1, 5) AS i;
UPDATE items SET n = n + 1 WHERE id = :low;
UPDATE items SET n = n + 1 WHERE id = :low;
UPDATE items SET id = nextval('numbers') WHERE id = :low + 1;
DELETE FROM items WHERE id = :low + 2;
SAVEPOINT a;
DELETE FROM items WHERE id BETWEEN :low AND :low + 100;
ROLLBACK TO a;
UPDATE heap SET note = md5(note) WHERE id = 1 + :low % 200;
INSERT INTO heap VALUES (:low, 'more');
COMMIT;
"""

# With --apply-jobs: batches that are worth it, and commits that take their time, so that kills fall between them.
LARGE_TABLES = """
CREATE TABLE large (id int PRIMARY KEY, n int);
CREATE TABLE parent (id int PRIMARY KEY, n int);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent, n int);
INSERT INTO large SELECT i, 0 FROM generate_series(1, 20000) AS i;
INSERT INTO parent SELECT i, 0 FROM generate_series(1, 20000) AS i;
INSERT INTO child SELECT i, i, 0 FROM generate_series(1, 20000) AS i;
"""
LARGE = """
\\set low random(1, 17000)
BEGIN;
UPDATE large SET n = n + 1 WHERE id BETWEEN :low AND :low + 3000;
UPDATE parent SET n = n + 1 WHERE id BETWEEN :low AND :low + 1000;
UPDATE child SET n = n + 1 WHERE id BETWEEN :low AND :low + 1000;
COMMIT;
"""
SLOW_COMMITS = """
CREATE FUNCTION pgconvoy.take_time() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(random() * 0.3); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER take_time AFTER INSERT ON pgconvoy.apply_part DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pgconvoy.take_time();
ALTER TABLE pgconvoy.apply_part ENABLE ALWAYS TRIGGER take_time;
"""


def parts(target):
    """How many parts of a batch are left behind, where there are such; what is not there yet is made slow."""
    if target.query("SELECT to_regclass('pgconvoy.apply_part') IS NULL") == "t":
        return 0
    if target.query("SELECT to_regproc('pgconvoy.take_time') IS NULL") == "t":
        target.query(SLOW_COMMITS)
    return int(target.query("SELECT count(*) FROM pgconvoy.apply_part WHERE part > 0"))


def active(source, slot):
    """None: no slot. Otherwise whether somebody streams from it."""
    state = source.sql(f"SELECT active FROM pg_replication_slots WHERE slot_name = '{slot}'")
    return None if state == "" else state == "t"


def run_one_life(s, source, kind, life, kills, tally, more):
    """One pipeline from nothing to equality, killed on the way."""
    name = f"life{life}"
    slot = f"pgconvoy_{name}"
    target = s.target(kind, name=name)
    moments = ["copy", "copy", "hand-over", "copy", "hand-over", "stream", "hand-over", "stream", "stream", "stream"]
    moments = sorted(moments, key=["copy", "hand-over", "stream"].index) if kills >= 10 else ["copy", "hand-over", "stream", "stream"]
    if more:
        moments = ["copy", "hand-over"] + ["stream"] * 8
    streamed = False
    for number in range(kills):
        moment = moments[number % len(moments)]
        run = s.sync(source.uri(), target, "--name", name, *more)
        if moment == "copy":
            # somewhere from the very start of the program until well into the copy
            time.sleep(s.random.uniform(0, 0.8))
        else:
            scenario.wait_for(lambda: active(source, slot) or not run.running(), 120, "the stream begins")
            time.sleep(s.random.uniform(0, 0.15) if moment == "hand-over" else s.random.uniform(0.2, 4.0 if more else 2.0))
        state = active(source, slot)
        assert run.running(), f"it ended by itself with status {run.wait()}\n{run.error_tail()}"
        run.kill()
        where = "before the slot" if state is None else "copy" if not state and not streamed else "catching up" if not state else moment
        streamed = streamed or bool(state)
        tally[where] += 1
        if more and state is not None:
            time.sleep(0.4)  # a commit that was on its way
        if more and state is not None and parts(target) > 0:
            tally["… between commits"] += 1
    return name, target


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--sink", default="duckdb", choices=[*scenario.SINKS, "clickhouse", "clickhouse-server"])
    options.add_argument("--kills", type=int, default=30)
    options.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    options.add_argument("--scale", type=int, default=3)
    options.add_argument("--apply-jobs", type=int, help="so many connections apply changes; a load that is kept waiting makes batches that are worth it")
    options = options.parse_args()
    print(f"{options.kills} kills, sink {options.sink}, seed {options.seed}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    s = scenario.Scenario(options.sink)
    s.random.seed(options.seed)
    tally = collections.Counter()
    more = ["--apply-jobs", options.apply_jobs] if options.apply_jobs else []
    ok = False
    try:
        source = s.server({"logical_decoding_work_mem": "1MB"})
        source.pgbench_init(options.scale)
        source.sql(TABLES + (LARGE_TABLES if more else ""))
        left, life = options.kills, 0
        while left > 0:
            loads = [s.load(source.pgbench("-c", 2, "-T", 3600, "-R", 200)), s.load(source.pgbench("-c", 1, "-T", 3600, "-R", 40, script=LOAD))]
            if more:
                loads.append(s.load(source.pgbench("-c", 1, "-T", 3600, "-R", 3, script=LARGE)))
            kills = min(left, 10)
            name, target = run_one_life(s, source, options.sink, life, kills, tally, more)
            assert all(load.running() for load in loads), "the load has ended"
            for load in loads:
                load.stop()
            s.sync_until_caught_up(source.uri(), target, "--name", name, *more, seconds=300)
            s.equal(source, target)
            print(f"life {life}: equal after {kills} kills ({dict(tally)} so far)", flush=True)
            source.sql(f"SELECT pg_drop_replication_slot('pgconvoy_{name}'); DROP PUBLICATION IF EXISTS pgconvoy_{name}")
            left -= kills
            life += 1
            if more:
                together = sum("large batches of changes are applied by" in run.stderr for run in s.runs)
                assert together, "no batch was worth more than one connection"
                print(f"several connections were at work in {together} of {len(s.runs)} runs", flush=True)
        ok = True
    except (AssertionError, RuntimeError) as problem:
        print(f"FAILED after {sum(tally.values())} kills ({dict(tally)}), seed {options.seed}: {problem}")
        s.report()
    finally:
        s.close(keep=bool(os.environ.get("KEEP")) and not ok)
    sys.exit(0 if ok else 1)


main()
