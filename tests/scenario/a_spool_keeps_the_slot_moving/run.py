#!/usr/bin/env python3
"""While the target is away its changes go to the spool, durable before they are confirmed, so that the slot moves on; they are replayed in order
after, also when pgconvoy was killed meanwhile, and the spool is gone when the target has all of it."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

LOAD = """
\\set id random(1, 300)
\\set other random(1, 300)
INSERT INTO t (id, n) VALUES (:id, 1) ON CONFLICT (id) DO UPDATE SET n = t.n + 1;
UPDATE t SET id = id + 100000 WHERE id = :other AND :other % 10 = 0;
DELETE FROM t WHERE id = :other AND :other % 7 = 0;
"""


def slot_moves(source, run, seconds=40):
    end = source.current_lsn()
    scenario.wait_for(lambda: not run.running() or source.sql(
        f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots WHERE slot_name = 'pgconvoy_away'") == "t", seconds, "the slot moves on")
    assert run.running(), run.error_tail()


def confirmed(source):
    return source.sql("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'pgconvoy_away'")


def full(s):
    """A spool that has reached its size says so and takes no more: the slot waits from there on, and nothing is lost."""
    source, there = s.server(), s.server()
    source.sql("CREATE TABLE t (id int PRIMARY KEY, filler text)")
    target = s.target("postgres", server=there)
    spool = os.path.join(s.folder, "spool")
    run = s.sync(source.uri(), target, "--name", "away", "--spool", spool + ":1MB")
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 30, "it streams")
    there.stop("immediate")
    scenario.wait_for(lambda: "spooling changes" in run.stderr or not run.running(), 60, "it spools")
    for number in range(40):  # 100 kB each
        source.sql(f"INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series({number * 100 + 1}, {number * 100 + 100}) AS i")
    scenario.wait_for(lambda: "the spool is full" in run.stderr or not run.running(), 60, "it says that the spool is full")
    assert os.path.getsize(os.path.join(spool, "away.spool")) < 3 << 20, "the spool is much larger than its size"
    stands, end = confirmed(source), source.current_lsn()
    source.sql("INSERT INTO t SELECT i, repeat('y', 1000) FROM generate_series(10001, 11000) AS i")
    assert source.sql(f"SELECT '{stands}'::pg_lsn < '{end}'") == "t", "the slot has let go of what is nowhere"
    assert run.running(), run.error_tail()
    there.start()
    scenario.wait_for(lambda: "all that was spooled is in the target" in run.stderr or not run.running(), 60, "the spool is applied")
    slot_moves(source, run)
    assert run.stop() == 0, run.error_tail()
    s.equal(source, target)
    assert run.stderr.count("the spool is full") == 1, run.error_tail()
    assert os.listdir(spool) == [], "the spool was left"


def killed(s):
    # streamed in progress when larger than 64 kB, so that the spool holds pieces of what never commits
    source = s.server({"logical_decoding_work_mem": "64kB"})
    source.sql("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT i, 0 FROM generate_series(1, 100) i")
    there = s.server()
    target = s.target("postgres", server=there)
    spool = os.path.join(s.folder, "spool")
    options = ["--name", "away", "--spool", spool + ":1GB"]
    run = s.sync(source.uri(), target, *options)
    scenario.wait_for(lambda: "streaming changes" in run.stderr, 30, "it streams")
    load = s.load(source.pgbench("-c", 2, "-T", 300, script=LOAD))
    there.stop("immediate")
    scenario.wait_for(lambda: "spooling changes" in run.stderr or not run.running(), 60, "it spools")
    open_one = s.session(source, "BEGIN; INSERT INTO t SELECT i, 1 FROM generate_series(200000, 203000) i;")
    slot_moves(source, run)
    for _ in range(int(os.environ.get("KILLS", "1"))):
        run.kill()
        source.sql("BEGIN; INSERT INTO t SELECT i, 2 FROM generate_series(300000, 303000) i; ROLLBACK;"
                   "INSERT INTO t SELECT i, 3 FROM generate_series(400000, 402000) i ON CONFLICT DO NOTHING")
        run = s.sync(source.uri(), target, *options)
        scenario.wait_for(lambda: "spooling changes" in run.stderr or not run.running(), 60, "it spools again")
        slot_moves(source, run)
    assert os.path.getsize(os.path.join(spool, "away.spool")) > 100000
    open_one.stdin.write("COMMIT;\n\\echo done\n")
    open_one.stdin.flush()
    # replayed also by a run that is not given the spool: it is what the slot has let go
    assert run.stop() == 0, run.error_tail()
    there.start()
    run = s.sync(source.uri(), target, "--name", "away")
    scenario.wait_for(lambda: "replaying the changes" in run.stderr or not run.running(), 60, "it replays")
    load.stop()
    scenario.wait_for(lambda: "all that was spooled is in the target" in run.stderr or not run.running(), 60, "the spool is applied")
    slot_moves(source, run)
    assert run.stop() == 0, run.error_tail()
    s.equal(source, target)
    assert os.listdir(spool) == [], "the spool was left"
    s.sync_until_caught_up(source.uri(), target, *options)
    s.equal(source, target)


def main(s):
    {"killed": killed, "full": full}[s.case](s)


# in make check-full, or by name
FULL = os.environ.get("SCENARIO_FULL") or sys.argv[1:] not in ([], ["--list"])
scenario.run(main, cases=["killed", "full"] if FULL else [])
