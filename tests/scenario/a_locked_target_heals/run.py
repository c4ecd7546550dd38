#!/usr/bin/env python3
"""A lock on a target table is waited for: meanwhile `status` says how far the target is behind, and other pipelines move on. A DuckDB file that another process has open is named, and nothing is begun.
A deadlock at the source is no end either."""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario
import targets


def wait_for_locks(s, source, target):
    s.sync_until_caught_up(source.uri(), target, "--name", "locked")
    other = s.target(name="other")
    s.sync_until_caught_up(source.uri(), other, "--name", "other")  # before the lock, whose transaction a new slot would wait for
    run = s.sync(source.uri(), target, "--name", "locked")
    lock = s.session(target.server, "BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE;", target.database)
    source.sql("INSERT INTO t SELECT i, 'x' FROM generate_series(1001, 2000) AS i; UPDATE t SET name = 'y' WHERE id % 2 = 0")
    look = lambda: json.loads(s.pgconvoy("status", "locked", "--json").ok().stdout)
    scenario.wait_for(lambda: look()["running"] and look()["status"]["lag_ms"] > 3000, 60, "its status says that it is behind")
    stalled = look()
    assert stalled["running"] and stalled["status"]["lag_bytes"] > 50000 and stalled["status"]["durable_lsn"] != stalled["status"]["received_lsn"], stalled
    s.sync_until_caught_up(source.uri(), other, "--name", "other")
    s.equal(source, other)
    assert run.running(), f"it gave up on a lock\n{run.error_tail()}"
    lock.stdin.write("ROLLBACK;\n")
    s.end_session(lock)
    end = source.current_lsn()
    scenario.wait_for(lambda: not run.running() or source.sql(
        f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots WHERE slot_name = 'pgconvoy_locked'") == "t", 30, "it caught up after the lock")
    assert run.running(), f"it ended: {run.error_tail()}"
    assert run.stop() == 0, run.error_tail()
    s.equal(source, target)


def name_the_lock(s, source, target):
    targets.duckdb_query(target.path, "CREATE TABLE mine (i int);\n", write=True)
    holder = subprocess.Popen([targets.duckdb_query_program(), "-w", target.path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    s.sessions.append(holder)
    time.sleep(1)
    s.sync(source.uri(), target, "--name", "locked", "--until", "caught-up").fails(1, ["lock", target.path])
    assert source.slots() == {} and source.publications() == [], "something was begun at the source"
    s.end_session(holder)
    s.sync_until_caught_up(source.uri(), target, "--name", "locked")

    # the same in the middle of its life
    source.sql("UPDATE t SET name = 'z' WHERE id < 100")
    holder = subprocess.Popen([targets.duckdb_query_program(), "-w", target.path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    s.sessions.append(holder)
    time.sleep(1)
    run = s.sync(source.uri(), target, "--name", "locked", "--until", "caught-up")
    time.sleep(1)
    s.end_session(holder)
    if run.wait(60) != 0:
        run.fails(1, ["lock", target.path])
        s.sync_until_caught_up(source.uri(), target, "--name", "locked")
    s.equal(source, target)
    assert target.query("SELECT count(*) FROM mine") == "0"


def lose_a_deadlock(s):
    """At its very start, before both ends were looked at: who alters tables at the source wins, and it begins anew. A view of the catalog fails as it does for who has lost."""
    source = s.server({"allow_system_table_mods": "on"})
    source.sql("""CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); CREATE SEQUENCE asked START 3;
        CREATE FUNCTION wins() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
            IF current_setting('application_name') ~ '^pgconvoy' AND current_setting('application_name') !~ 'check$' AND nextval('public.asked') < 3 THEN RAISE deadlock_detected USING MESSAGE = 'deadlock detected'; END IF;
            RETURN true; END $$;
        DO $$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW pg_catalog.pg_replication_slots AS ' || rtrim(pg_get_viewdef('pg_replication_slots'::regclass), ';') || ' WHERE public.wins()'; END $$""")
    target = s.target("postgres")
    s.sync_until_caught_up(source.uri(), target, "--name", "locked", "--sequences", "off")
    source.sql("SELECT setval('asked', 1, false)")
    run = s.sync_until_caught_up(source.uri(), target, "--name", "locked", "--sequences", "off")
    assert run.stderr.count("deadlock detected") == 2, run.stderr
    s.equal(source, target, tables=[("public", "t")])


def main(s):
    if s.case == "source":
        return lose_a_deadlock(s)
    source = s.server()
    source.sql("CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t SELECT i, 'x' FROM generate_series(1, 1000) AS i")
    target = s.target()
    (wait_for_locks if s.case == "postgres" else name_the_lock)(s, source, target)


scenario.run(main, cases=["duckdb", "postgres", "source"])
