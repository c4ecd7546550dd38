#!/usr/bin/env python3
"""A native subscription becomes a pipeline of `sync` and a subscription again, without a new copy, while its source is written: no row is missing, none comes twice, also when the command is
killed on its way.

HANDOVER_RUNS=10 goes there and back so often, with kills (make check: once there and back).
"""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

RUNS = int(os.environ.get("HANDOVER_RUNS", "1"))
FAST = {"wal_receiver_status_interval": "1s", "wal_retrieve_retry_interval": "100ms", "max_logical_replication_workers": "8", "max_prepared_transactions": "5"}
# what comes twice is seen in log, which has no key
SCHEMA = """CREATE TABLE item (id bigserial PRIMARY KEY, n int, v text); INSERT INTO item (n, v) SELECT i, md5(i::text) FROM generate_series(1, 2000) i;
CREATE TABLE log (a int, b int); ALTER TABLE log REPLICA IDENTITY FULL;
CREATE TABLE part (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')"""
LOAD = """\\set i random(1, 2000)
\\set k random(1, 1000000)
BEGIN; INSERT INTO log VALUES (:i, :k); UPDATE item SET n = n + 1 WHERE id = :i; INSERT INTO item (n) VALUES (:k); COMMIT;
INSERT INTO part VALUES (:k, '2020-02-02') ON CONFLICT DO NOTHING;
DELETE FROM item WHERE id = 2000 + :i;
"""


def main(s):
    source, target = s.server(FAST), s.server(FAST)
    source.create_database("shop", SCHEMA)
    target.create_database("copy")
    there = scenario.PostgresTarget(target, "copy")
    ends = [source.uri("shop"), target.uri("copy"), "--name", "moved"]

    def subscribe(*options, **more):
        return s.pgconvoy("subscribe", *ends, *options, **more)

    def moves(count=lambda: target.sql("SELECT max(id) FROM item", "copy")):
        was = count()
        scenario.wait_for(lambda: count() != was, 60, "changes arrive")

    def killed(option):
        """The command is killed at some moment, until it comes to its end."""
        for _ in range(100):
            run = subscribe(option)
            time.sleep(s.random.uniform(0, 1.5))
            if not run.running():
                break
            run.kill()
            if target.sql("SELECT count(*) FROM pg_subscription WHERE NOT subenabled", "copy") == "1" and option == "--to-sync":
                target.sql("ALTER SUBSCRIPTION pgconvoy_moved ENABLE", "copy")  # as its message says
        return run

    subscribe("--from-sync").fails(1, ["no pipeline moved"])
    subscribe("--to-sync").fails(1, ["no subscription"])
    subscribe("--to-sync", "--drop").fails(2, ["--to-sync", "--drop"])
    subscribe("--until", "caught-up").ok()
    node = target.sql("SELECT relfilenode FROM pg_class WHERE relname = 'item'", "copy")
    load = s.load(source.pgbench("-c", "2", "-T", "600", "-R", "150", database="shop", script=LOAD))
    dry = subscribe("--to-sync", "--dry-run").ok().stdout
    assert "DISABLE;" in dry and "DROP SUBSCRIPTION" in dry and target.sql("SELECT subenabled FROM pg_subscription", "copy") == "t", dry
    for turn in range(RUNS):
        if turn % 2:
            assert killed("--to-sync").wait() == 0
        subscribe("--to-sync").ok()
        assert target.sql("SELECT count(*) FROM pg_subscription", "copy") == "0" and "pgconvoy_moved" in source.slots()
        sync = s.sync(ends[0], there, "--name", "moved")
        moves()
        subscribe("--from-sync").fails(1, ["at work", "stop"])
        assert source.sql("SELECT count(*) FROM pg_event_trigger", "shop") != "0", "definitions are not followed"
        assert sync.stop() == 0 and "all 3 tables are copied already" in sync.stderr, sync.stderr
        if turn % 2:
            for _ in range(20):
                run = subscribe("--from-sync", "--with", "two_phase=true")
                time.sleep(s.random.uniform(0, 0.8))
                run.kill()
        run = subscribe("--from-sync", "--until", "caught-up", "--with", "two_phase=true").ok()
        assert target.sql("SELECT subenabled || ' ' || count(*) OVER () FROM pg_subscription", "copy") == "true 1"
        assert source.sql("SELECT count(*) FROM pg_event_trigger", "shop") == "0", "an event trigger was left"
        moves()
    assert "new tables join" not in run.stderr
    assert target.sql("SELECT to_regclass('pgconvoy.pipeline')", "copy") == "", "the pipeline's state was left"
    assert target.sql("SELECT relfilenode FROM pg_class WHERE relname = 'item'", "copy") == node, "the table was made anew"
    load.stop()
    subscribe("--until", "caught-up").ok()
    s.equal(source, there, "shop")
    # a transaction that the subscription has prepared would be neither's
    scenario.wait_for(lambda: target.sql("SELECT subtwophasestate FROM pg_subscription", "copy") == "e", 60, "it takes transactions when they are prepared")
    source.sql("BEGIN; INSERT INTO log VALUES (0, 1); PREPARE TRANSACTION 'halfway'", "shop")
    scenario.wait_for(lambda: target.sql("SELECT count(*) FROM pg_prepared_xacts") == "1", 60, "the target has prepared it")
    subscribe("--to-sync").fails(1, ["prepared a transaction", "COMMIT PREPARED"])
    assert target.sql("SELECT subenabled FROM pg_subscription", "copy") == "t", "it was left disabled"
    source.sql("COMMIT PREPARED 'halfway'", "shop")
    # the publication is the pipeline's with it, so that drop removes it
    subscribe("--to-sync").ok()
    subscribe("--to-sync").ok()  # said again, nothing more
    source.sql("CREATE TABLE other (id int PRIMARY KEY); INSERT INTO log VALUES (0, 0)", "shop")
    s.sync_until_caught_up(ends[0], there, "--name", "moved")
    s.equal(source, there, "shop")
    target.sql("ALTER TABLE item RENAME COLUMN v TO w", "copy")
    subscribe("--from-sync").fails(1, ["column v of table public.item"])
    target.sql("ALTER TABLE item RENAME COLUMN w TO v", "copy")
    source.sql("CREATE TABLE unknown (id int PRIMARY KEY); ALTER PUBLICATION pgconvoy_moved ADD TABLE unknown", "shop")
    subscribe("--from-sync").fails(1, ["public.unknown", "none of pipeline"])
    source.sql("SELECT pg_replication_slot_advance('pgconvoy_moved', pg_current_wal_lsn())", "shop")
    subscribe("--from-sync").fails(1, ["pgconvoy_moved has moved on", "spool"])
    s.pgconvoy("drop", *ends[:2], "--name", "moved").ok()
    assert source.slots() == {} and source.publications("shop") == []


scenario.run(main)
