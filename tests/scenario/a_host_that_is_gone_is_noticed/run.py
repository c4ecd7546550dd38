#!/usr/bin/env python3
"""
A host is gone without a word: no packet comes from it any more, and none says so. The connection is given up after as long as its keepalives say, though
the kernel would go on for a quarter of an hour, and the next host of the connection string is tried. In a network of our own, where packets can be lost.
"""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

KEEPALIVES = "keepalives_idle=1&keepalives_interval=1&keepalives_count=2"  # three seconds
GONE = "127.0.0.2"
ALONE = "PGCONVOY_OWN_NETWORK"


def in_a_network_of_our_own():
    if os.environ.get(ALONE):
        return
    if subprocess.run(["unshare", "-n", "true"], stderr=subprocess.DEVNULL).returncode:
        print("SKIPPED: a network of its own (unshare -n) is not allowed here")
        sys.exit(0)
    os.execvpe("unshare", ["unshare", "-n", sys.executable, *sys.argv], {**os.environ, ALONE: "1"})


def two_hosts(server, database):
    hosts = ",".join(f"{host}:{server.port}" for host in (GONE, "127.0.0.1"))
    return f"postgresql://postgres@{hosts}/{database}?target_session_attrs=any&connect_timeout=3&{KEEPALIVES}"


def vanish():
    subprocess.run(["ip", "route", "add", "blackhole", f"{GONE}/32", "table", "local"], check=True)


def insert(source, numbers):
    source.sql(f"INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series({numbers[0]}, {numbers[-1]}) AS i")


def begin(s, gone):
    settings = {"listen_addresses": "'*'", "wal_sender_timeout": "5s"}
    source, target = s.server(settings), s.target("postgres", server=s.server(settings))
    source.sql("CREATE TABLE t (id int PRIMARY KEY, value text)")
    uri = two_hosts(source, "postgres") if gone == "source" else source.uri()
    if gone == "target":
        target.uri = two_hosts(target.server, target.database)
    run = s.sync(uri, target, "--name", "gone")
    scenario.wait_for(lambda: "streaming changes from" in run.stderr or not run.running(), 60, "it streams")
    insert(source, range(1, 2))
    arrives(target, run, 1)
    return source, target, run


def arrives(target, run, count):
    scenario.wait_for(lambda: target.query("SELECT count(*) FROM t") == str(count) or not run.running(), 60, f"{count} rows are there")
    assert run.running(), run.error_tail()


def goes_on(source, target, run, count):
    arrives(target, run, count)
    assert "the server has not answered for 3 s; trying again" in run.stderr, run.stderr
    assert run.stop() == 0, run.error_tail()


def the_source_goes(s):
    """While the stream rests: it asks the source where it is, and hears nothing."""
    source, target, run = begin(s, "source")
    vanish()
    insert(source, range(2, 3))
    goes_on(source, target, run, 2)


def the_target_goes(s):
    """In the midst of a backlog: its session's transaction is open there, and ends before the next one needs its locks."""
    source, target, run = begin(s, "target")
    source.sql("CREATE TABLE late (id int PRIMARY KEY)")
    insert(source, range(2, 20001))
    vanish()
    insert(source, range(20001, 40001))
    goes_on(source, target, run, 40000)
    s.equal(source, target)


def a_busy_target_stays(s):
    """It takes no more bytes for longer than that, but it is there: nothing is given up."""
    source, target, run = begin(s, "target")
    lock = s.session(target.server, "BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE;", target.database)
    scenario.wait_for(lambda: target.server.sql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 't'::regclass",
                                                target.database) == "1", 30, "the lock is held")
    insert(source, range(2, 40001))
    time.sleep(6)
    s.end_session(lock)
    arrives(target, run, 40000)
    assert "trying again" not in run.stderr, run.stderr
    assert run.stop() == 0, run.error_tail()


in_a_network_of_our_own()
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
CASES = {"source": the_source_goes, "target": the_target_goes, "busy": a_busy_target_stays}
scenario.run(lambda s: CASES[s.case](s), cases=list(CASES))
