#!/usr/bin/env python3
"""When a standby is promoted the pipeline goes on with it where the standby kept the slot, and says exactly what is missing where it did not; a
standby is a source, from a publication that its primary made."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario


def caught_up(primary, standby):
    end = primary.current_lsn()
    scenario.wait_for(lambda: standby.sql(f"SELECT pg_last_wal_replay_lsn() >= '{end}'") == "t", 30, "the standby has it")


def durable(source, name, end):
    scenario.wait_for(lambda: source.sql(f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots WHERE slot_name = '{name}'") == "t",
                      30, "all is durable")


def promoted(s, primary, standby, target, uri, kept):
    run = s.sync(uri, target, "--name", "over", *([] if kept else ["--failover", "off"]))
    scenario.wait_for(lambda: "streaming changes" in run.stderr, 30, "it streams")
    primary.sql("INSERT INTO t SELECT generate_series(11, 20)")
    durable(primary, "pgconvoy_over", primary.current_lsn())
    if kept:
        assert primary.sql("SELECT failover FROM pg_replication_slots WHERE slot_name = 'pgconvoy_over'") == "t"
        standby.sql("SELECT pg_sync_replication_slots()", check=False)
        scenario.wait_for(lambda: standby.sql("SELECT synced AND NOT temporary FROM pg_replication_slots WHERE slot_name = 'pgconvoy_over'") == "t",
                          40, "the standby keeps the slot")
    primary.sql("INSERT INTO t VALUES (21)")
    caught_up(primary, standby)
    have = primary.sql("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'pgconvoy_over'")
    primary.stop("immediate")
    standby.sql("SELECT pg_promote()")
    standby.sql("INSERT INTO t VALUES (100)")
    if not kept:
        run.fails(1, ["pgconvoy_over", "a standby was promoted at", "the changes from", " to "])
        end = run.stderr.split("the changes from ")[-1].split(" to ")[1].split(";")[0].strip()
        assert standby.sql(f"SELECT '{end}'::pg_lsn >= '{have}'::pg_lsn") == "t", run.error_tail()
        return
    durable(standby, "pgconvoy_over", standby.current_lsn())
    assert "a standby was promoted" in run.stderr, run.error_tail()
    assert run.stop() == 0, run.error_tail()
    s.equal(standby, target)


def from_standby(s, primary, standby, target):
    s.sync(standby.uri(), target, "--name", "stand").fails(1, ["standby", "publication", "on the primary"])
    primary.sql("CREATE PUBLICATION mine FOR TABLE t")
    caught_up(primary, standby)
    near = s.proxy(standby)
    run = s.sync(standby.uri(port=near.port), target, "--name", "stand", "--publication", "mine", "--retry-for", "3")

    def streams():
        primary.sql("SELECT pg_log_standby_snapshot()")
        return "streaming changes" in run.stderr or not run.running()
    scenario.wait_for(streams, 60, "it streams from the standby")
    assert run.running(), run.error_tail()
    primary.sql("INSERT INTO t SELECT generate_series(11, 20); DELETE FROM t WHERE id = 1")
    caught_up(primary, standby)
    durable(standby, "pgconvoy_stand", standby.sql("SELECT pg_last_wal_replay_lsn()"))
    for times in range(2, 5):  # where nothing is written the position stays as it is: the time to try again does not begin with the last change
        time.sleep(5)
        near.cut_all()
        scenario.wait_for(lambda: run.stderr.count("streaming changes from") >= times or not run.running(), 30, "it streams again")
        assert run.running(), run.error_tail()
    assert run.stop() == 0, run.error_tail()
    s.equal(primary, target)


def main(s):
    primary = s.server(binaries=scenario.embedded_postgres(17))
    primary.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 10)")
    standby = s.standby(primary, {"sync_replication_slots": "on"} if s.case == "kept" else None)
    target = s.target("postgres", server=s.server())
    uri = f"postgresql://postgres@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/postgres"
    if s.case == "standby":
        from_standby(s, primary, standby, target)
    else:
        promoted(s, primary, standby, target, uri, s.case == "kept")


# in make check-full, or by name
FULL = os.environ.get("SCENARIO_FULL") or sys.argv[1:] not in ([], ["--list"])
scenario.run(main, cases=["kept", "lost", "standby"] if FULL else [])
