#!/usr/bin/env python3
"""A proxy drops connections at random, and refuses them for a while: the same run goes on by itself, and nothing is lost."""
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario


def begin(s):
    source = s.server()
    source.pgbench_init(1)
    return source, s.proxy(source), s.target("postgres")


def the_snapshot_is_lost(s):
    """The connection that holds it goes just before another takes it: the copy begins again with a new one."""
    source, near, target = begin(s)
    ended = []
    near.before("SET TRANSACTION SNAPSHOT", lambda: ended.append(source.sql(
        "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE state = 'idle in transaction' AND application_name LIKE 'pgconvoy%' AND backend_xmin IS NOT NULL")))
    run = s.sync(source.uri(port=near.port), target, "--name", "cut", "--until", "caught-up").ok()
    assert ended and ended[0] != "0", f"no session held the snapshot: {ended}"
    assert "the snapshot cannot be taken over" in run.stderr and "trying again" in run.stderr, run.error_tail()
    s.equal(source, target)


def the_catalog_is_refused(s):
    """The connection that is to read the catalog is cut once, and the next one is not: as when the source starts again just then."""
    source, near, target = begin(s)
    refused = []

    def refuse():
        refused.append(True)
        raise ConnectionResetError

    near.before("pgconvoy copy\0", refuse)
    run = s.sync(source.uri(port=near.port), target, "--name", "cut", "--until", "caught-up").ok()
    assert refused and "trying again" in run.stderr, run.error_tail()
    s.equal(source, target)


def the_server_takes_leave(s):
    """It ends the session in the moment of its beginning, as when it is shut down just then, and says why: which is not printed by libpq."""
    source, near, target = begin(s)
    run = s.sync(source.uri(port=near.port), target, "--name", "cut")
    scenario.wait_for(lambda: not run.running() or "streaming changes from" in run.stderr, 60, "it streams")
    for attempt in range(8):  # a session that only looks for something now and then may be the one, and says nothing
        near.end_next_session("as one of us wishes")
        near.cut_all()
        scenario.wait_for(lambda: not run.running() or run.stderr.count("streaming changes from") > attempt + 1, 60, "it streams again")
        assert run.running(), run.error_tail()
        if "as one of us wishes; trying again" in run.stderr:
            break
    assert run.stop() == 0, run.error_tail()
    assert "as one of us wishes; trying again" in run.stderr, run.error_tail()
    run.says_only_its_own()
    s.equal(source, target)


def the_first_host_says_nothing(s):
    """It takes the connection and is silent: the next one is tried, after the time that is given for a host."""
    source, _, target = begin(s)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as silent:
        uri = f"postgresql://postgres@127.0.0.1:{silent.getsockname()[1]},127.0.0.1:{source.port}/postgres?connect_timeout=2"
        alone = uri.replace(f",127.0.0.1:{source.port}", "")
        s.sync(alone, target, "--name", "cut").fails(says=["cannot connect", "timeout expired"])
        run = s.pgconvoy("dump", "--schema-only", uri, bare=True).ok()
    assert "CREATE TABLE public.pgbench_accounts" in run.stdout, run.stdout


def a_long_step_is_begun_again(s):
    """A copy goes on with a table that takes longer than is tried again for: the time is that of the failures, not of the work before."""
    source, near, target = begin(s)
    cut = []

    def late(seconds):
        time.sleep(seconds)
        cut.append(True)
        raise ConnectionResetError

    copy = "copy", source.uri(port=near.port), target.uri, "--jobs", "1", "--retry-for"
    near.before("COPY ", lambda: late(0))
    s.pgconvoy(*copy, "0").fails(1)
    near.before("COPY ", lambda: late(4))
    run = s.pgconvoy(*copy, "2").ok()
    assert len(cut) == 2 and "trying again" in run.stderr, run.error_tail()
    s.equal(source, target)


def it_is_given_up(s):
    """The source is away for longer than is asked for: it ends, says so, and the same command goes on later."""
    source, near, target = begin(s)
    run = s.sync(source.uri(port=near.port), target, "--name", "cut", "--retry-for", "2")
    scenario.wait_for(lambda: not run.running() or "streaming changes from" in run.stderr, 60, "it streams")
    near.refuse(True)
    near.cut_all()
    run.fails(1, ["cannot connect"])
    assert "trying again" in run.stderr, run.error_tail()
    s.sync_until_caught_up(source.uri(), target, "--name", "cut")
    s.equal(source, target)


def main(s):
    if s.case in SINGLE:
        return SINGLE[s.case](s)
    source = s.server()
    source.pgbench_init(1 if s.case == "stdout" else 2)
    near = s.proxy(source)
    target = s.target(server=s.server() if s.case == "postgres" else None)
    far = None
    if s.case == "postgres":
        far = s.proxy(target.server)
        target.uri = target.server.uri(target.database, port=far.port)
    uri = source.uri(port=near.port)
    load = s.load(source.pgbench("-c", 2, "-T", 9, "-R", 400))
    run = s.sync(uri, target, "--name", "cut")
    # before it has seen both ends in order, a connection that is lost ends it at once
    scenario.wait_for(lambda: source.slots() or not run.running(), 60, "it has begun")
    # after cuts that come one upon another it waits for seconds, in which there is nothing to be cut
    enough = time.monotonic() + 90
    while load.running() or near.cuts + (far.cuts if far else 0) <= 5:
        assert run.running(), f"it gave up\n{run.error_tail()}"
        assert time.monotonic() < enough, f"hardly anything was cut\n{run.error_tail()}"
        time.sleep(s.random.uniform(0.1, 1.0))
        proxy = far if far and s.random.random() < 0.4 else near
        proxy.cut(s.random)
    near.refuse(True)
    near.cut_all()
    time.sleep(2)
    near.refuse(False)
    end = source.current_lsn()
    scenario.wait_for(lambda: not run.running() or source.sql(
        f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots") == "t", 60, "it caught up after the cuts")
    assert run.running(), f"it ended: {run.error_tail()}"
    assert run.stop() == 0, run.error_tail()
    s.sync_until_caught_up(source.uri(), target, "--name", "cut")
    s.equal(source, target)


SINGLE = {"snapshot": the_snapshot_is_lost, "catalog": the_catalog_is_refused, "leave": the_server_takes_leave, "silence": the_first_host_says_nothing,
          "long": a_long_step_is_begun_again, "given_up": it_is_given_up}
scenario.run(main, cases=[*scenario.SINKS, *SINGLE])
