#!/usr/bin/env python3
"""
A slot that is gone, or that the server invalidated, or that is younger than the target, is named; it is never made anew silently. Nor does a source go on
that was restored from an older state, slot and all: it would write its next changes where the target has others of before.
"""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario


def dropped(s, source, target):
    source.sql("SELECT pg_drop_replication_slot('pgconvoy_lost')")


def invalidated(s, source, target):
    source.sql("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'; SELECT pg_reload_conf()")
    for _ in range(4):
        source.sql("CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 30000); DROP TABLE filler;"
                   "SELECT pg_switch_wal(); CHECKPOINT")
    assert source.sql("SELECT wal_status FROM pg_replication_slots") == "lost", "the server kept the slot"


def younger(s, source, target):
    source.sql("SELECT pg_drop_replication_slot('pgconvoy_lost'); INSERT INTO t VALUES (50);"
               "SELECT pg_create_logical_replication_slot('pgconvoy_lost', 'pgoutput')")


def restored(s, source, target):
    source.stop()
    subprocess.run(["cp", "-a", source.data, source.data + ".older"], check=True)
    source.start()
    source.sql("INSERT INTO t SELECT generate_series(1000, 3000); DELETE FROM t WHERE id >= 1000")
    s.sync_until_caught_up(source.uri(), target, "--name", "lost")
    source.stop()
    shutil.rmtree(source.data)
    os.rename(source.data + ".older", source.data)
    source.start()


def main(s):
    kind, how = s.case.split("-")
    source = s.server({"max_wal_size": "64MB", "min_wal_size": "32MB"})
    source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 10)")
    target = s.target(kind, server=s.server() if how == "restored" else None)
    s.sync_until_caught_up(source.uri(), target, "--name", "lost")
    {"dropped": dropped, "invalidated": invalidated, "younger": younger, "restored": restored}[how](s, source, target)
    source.sql("INSERT INTO t VALUES (100)")
    slots = source.slots()
    s.sync(source.uri(), target, "--name", "lost", "--until", "caught-up").fails(1, ["older state", "pgconvoy drop lost"] if how == "restored" else ["slot", "lost"])
    assert source.slots().keys() == slots.keys(), "the slot was made anew"
    shape = source.columns("public", "t")
    assert how == "restored" or len(target.rows("public", "t", shape)) == 10, "rows were written without the slot"
    assert not any("100" in row for row in target.rows("public", "t", shape)), "the last row was written"


# in make check-full, or by name
FULL = os.environ.get("SCENARIO_FULL") or sys.argv[1:] not in ([], ["--list"])
scenario.run(main, cases=["duckdb-dropped", "duckdb-invalidated", "duckdb-younger", "postgres-dropped", "stdout-dropped", "postgres-restored"]
             + (["postgres-invalidated", "postgres-younger"] if FULL else []))
