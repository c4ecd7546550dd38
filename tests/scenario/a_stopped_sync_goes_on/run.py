#!/usr/bin/env python3
"""SIGTERM and SIGINT end it with status 0 at any moment; the same command goes on where it was."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario


def stop_while_the_slot_waits(s, source, target):
    """A slot is made when the transactions that are open have ended."""
    open_one = s.session(source, "BEGIN; SELECT txid_current();")
    run = s.sync(source.uri(), target, "--name", "stop")
    scenario.wait_for(lambda: "pgconvoy_stop" in source.slots() or not run.running(), 30, "the slot is being made")
    assert run.stop() == 0, run.error_tail()
    assert "was interrupted" in run.stderr, run.error_tail()
    s.end_session(open_one)


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
    assert list(source.slots()) == ["pgconvoy_stop"], source.slots()


scenario.run(main, cases=scenario.SINKS)
