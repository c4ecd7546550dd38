#!/usr/bin/env python3
"""While only tables that are not published are written to, the slot still moves on, so that WAL does not pile up."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario


def main(s):
    # Nothing of it by way of timeouts: keepalives must be answered with the position itself.
    source = s.server({"wal_sender_timeout": "4s"})
    source.sql("CREATE TABLE watched (id int PRIMARY KEY); CREATE TABLE busy (id int, filler text); INSERT INTO watched VALUES (1)")
    target = s.target()
    run = s.sync(source.uri(), target, "--name", "idle", "-t", "public.watched")
    scenario.wait_for(lambda: source.slots().get("pgconvoy_idle"), 30, "there is a slot")
    scenario.wait_for(lambda: source.sql("SELECT active FROM pg_replication_slots") == "t", 30, "the slot is in use")
    for _ in range(3):
        source.sql("INSERT INTO busy SELECT i, repeat('x', 500) FROM generate_series(1, 20000) AS i")
        end = source.current_lsn()
        scenario.wait_for(lambda: source.sql(f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots") == "t", 15,
                          f"the slot passed {end} (busy table only)")
    # also when the server is not even writing to the database of the publication
    source.create_database("elsewhere", "CREATE TABLE t AS SELECT repeat('x', 500) FROM generate_series(1, 20000)")
    end = source.current_lsn()
    scenario.wait_for(lambda: source.sql(f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots") == "t", 15,
                      f"the slot passed {end} (another database)")
    source.sql("INSERT INTO watched VALUES (2)")
    assert run.running(), run.error_tail()
    assert run.stop() == 0, run.error_tail()
    s.sync_until_caught_up(source.uri(), target, "--name", "idle", "-t", "public.watched")
    s.equal(source, target, tables=[("public", "watched")])


scenario.run(main, cases=scenario.SINKS)
