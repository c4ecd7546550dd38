#!/usr/bin/env python3
"""
A change can be seen on the target before it is on the target's disk. What a crash takes back there comes again, as the source has not been told of it:
also where the process has ended in between. The target writes its WAL by itself so rarely here that a crash does take something back.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

ROUNDS = 12


def begin(s):
    source = s.server()
    source.sql("CREATE TABLE t (id bigint PRIMARY KEY, note text); INSERT INTO t VALUES (0, 'the first one')")
    target = s.target("postgres", server=s.server({"wal_writer_delay": "10s"}))
    return source, target, start(s, source, target)


def start(s, source, target):
    run = s.sync(source.uri(), target, "--name", "crash", "--retry-for", "60")
    # the slot alone says nothing: it is active as soon as it is made, when there is no table on the target yet
    scenario.wait_for(lambda: not run.running() or "streaming changes from" in run.stderr, 60, "it streams")
    assert run.running(), run.error_tail()
    return run


def end(s, source, target, run):
    assert run.stop() == 0, run.error_tail()
    s.equal(source, target)


def wait_for_row(target, number):
    target.query(f"DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM t WHERE id = {number}) LOOP PERFORM pg_sleep(0.001); END LOOP; END $$")


def insert(s, source, target, number):
    """Gives the source's position after it, once the target shows it."""
    lsn = source.sql(f"INSERT INTO t VALUES ({number}, 'seen, and then?'); SELECT pg_current_wal_lsn()")
    wait_for_row(target, number)
    return lsn


def has(target, number):
    return target.query(f"SELECT count(*) FROM t WHERE id = {number}") == "1"


def confirmed(source, lsn):
    return source.sql(f"SELECT confirmed_flush_lsn >= '{lsn}' FROM pg_replication_slots") == "t"


def the_process_is_killed_before(s):
    """Before it has made the change durable, so that the crash takes it; a new process begins where the target is then."""
    source, target, run = begin(s)
    lost = 0
    for number in range(1, ROUNDS + 1):
        lsn = insert(s, source, target, number)
        run.kill()
        target.server.restart("immediate")
        if not has(target, number):
            lost += 1
            assert not confirmed(source, lsn), f"the source was told that row {number} is durable"
        run = start(s, source, target)
        wait_for_row(target, number)
        if lost == 3:
            break
    assert lost, "no crash has taken anything back: this shows nothing"
    end(s, source, target, run)


def another_process_has_confirmed_it(s):
    """What the one before had left is made durable before the source is told of it."""
    source, target, run = begin(s)
    for number in range(1, 4):
        lsn = insert(s, source, target, number)
        run.kill()
        run = start(s, source, target)
        scenario.wait_for(lambda: confirmed(source, lsn) or not run.running(), 30, "it is confirmed")
        run.kill()
        target.server.restart("immediate")
        assert has(target, number), f"row {number} was confirmed and is lost"
        run = start(s, source, target)
    end(s, source, target, run)


def the_run_goes_on(s):
    source, target, run = begin(s)
    for number in range(1, 5):
        insert(s, source, target, number)
        target.server.restart("immediate")
        wait_for_row(target, number)
    assert run.running(), run.error_tail()
    end(s, source, target, run)


def it_is_confirmed_soon(s):
    """Though nothing more comes."""
    source, target, run = begin(s)
    for number in range(1, 4):
        lsn = insert(s, source, target, number)
        scenario.wait_for(lambda: confirmed(source, lsn), 5, "it is confirmed")
        target.server.restart("immediate")
        assert has(target, number), f"row {number} was confirmed and is lost"
    end(s, source, target, run)


CASES = {"killed": the_process_is_killed_before, "again": another_process_has_confirmed_it, "same_run": the_run_goes_on, "soon": it_is_confirmed_soon}
scenario.run(lambda s: CASES[s.case](s), cases=list(CASES))
