#!/usr/bin/env python3
"""SIGTERM and SIGINT end it with status 0 at any moment; the same command goes on where it was. Also where a crash left a file with a log that DuckDB itself cannot replay."""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario
import targets


def stop_while_the_slot_waits(s, source, target):
    """A slot is made when the transactions that are open have ended."""
    open_one = s.session(source, "BEGIN; SELECT txid_current();")
    run = s.sync(source.uri(), target, "--name", "stop")
    scenario.wait_for(lambda: "pgconvoy_stop" in source.slots() or not run.running(), 30, "the slot is being made")
    assert run.stop() == 0, run.error_tail()
    assert "was interrupted" in run.stderr, run.error_tail()
    s.end_session(open_one)


def a_log_that_duckdb_cannot_replay(s, source, target):
    """One with a default that calls a function: a file with it cannot be opened (duckdb#18259), until DuckDB has learned to."""
    writer = subprocess.Popen([targets.duckdb_query_program(), "-w", target.path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    writer.stdin.write(b"INSERT INTO mine VALUES (1); ALTER TABLE mine ADD COLUMN moment TIMESTAMP DEFAULT now(); SELECT count(*) FROM range(1000000000000)")
    writer.stdin.close()
    log = target.path + ".wal"
    scenario.wait_for(lambda: os.path.exists(log) and os.path.getsize(log) > 100 or writer.poll() is not None, 30, "the log is written")
    time.sleep(0.3)
    writer.kill()
    writer.wait()
    try:
        target.query("SELECT 1")
    except RuntimeError as error:
        assert "Failure while replaying WAL file" in str(error), error
    source.sql("UPDATE pgbench_branches SET bbalance = bbalance + 1")
    run = s.sync_until_caught_up(source.uri(), target, "--name", "stop")
    assert "nothing is lost" in run.stderr, run.stderr
    assert target.query("SELECT count(*), count(moment) FROM mine") == "1\t1", target.query("FROM mine")


def main(s):
    source = s.server()
    source.pgbench_init(1 if s.case == "stdout" else 2)
    target = s.target()
    stop_while_the_slot_waits(s, source, target)
    load = s.load(source.pgbench("-c", 2, "-T", 8, "-R", 400))
    for number in range(6):
        run = s.sync(source.uri(), target, "--name", "stop", "-j", "1")
        # a signal before main is nobody's
        scenario.wait_for(lambda: run.handles(signal.SIGTERM), 10, "it handles signals")
        time.sleep(s.random.uniform(0, 1.2))
        run.send(signal.SIGTERM if number % 2 else signal.SIGINT)
        status = run.wait(30)
        assert status == 0, f"stopped with exit status {status}\n{run.error_tail()}"
    load.wait()
    s.sync_until_caught_up(source.uri(), target, "--name", "stop")
    s.equal(source, target)
    if target.name == "duckdb":
        targets.duckdb_query(target.path, "CREATE TABLE mine (id int)", write=True)
        a_log_that_duckdb_cannot_replay(s, source, target)
        s.equal(source, target)
    assert list(source.slots()) == ["pgconvoy_stop"], source.slots()


scenario.run(main, cases=scenario.SINKS)
