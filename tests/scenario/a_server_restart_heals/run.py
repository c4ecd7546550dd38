#!/usr/bin/env python3
"""The source is restarted, also the hard way, during the copy and during the stream: the same run goes on by itself."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario


def load(s, source, seconds):
    return s.load(source.pgbench("-c", 2, "-T", seconds, "-R", 300))


def main(s):
    source = s.server()
    source.pgbench_init(1 if s.case == "stdout" else 2)
    elsewhere = s.server() if s.case == "postgres" else None
    target = s.target(server=elsewhere)
    run = s.sync(source.uri(), target, "--name", "restart", "-j", "1")
    scenario.wait_for(lambda: "pgconvoy_restart" in source.slots() or not run.running(), 30, "there is a slot")
    source.restart("fast")  # most likely in the copy

    load(s, source, 2).wait()
    for mode in ("fast", "immediate"):
        source.restart(mode)
        load(s, source, 2).wait()
    if elsewhere:
        elsewhere.restart("immediate")
        load(s, source, 2).wait()
    source.stop()
    time.sleep(3)
    assert run.running(), f"it gave up while the server was down for 3 s\n{run.error_tail()}"
    source.start()
    end = source.current_lsn()
    scenario.wait_for(lambda: not run.running() or source.sql(
        f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots") == "t", 60, "it caught up after the restart")
    assert run.running(), f"it ended: {run.error_tail()}"
    assert run.stop() == 0, run.error_tail()
    run.says_only_its_own()
    s.sync_until_caught_up(source.uri(), target, "--name", "restart")
    s.equal(source, target)


scenario.run(main, cases=scenario.SINKS)
