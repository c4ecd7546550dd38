#!/usr/bin/env python3
"""A single value of many megabytes: copied, inserted, updated while others change beside it, and left alone by an update of its row; within a budget of
some four times its size. With a smaller one it arrives as well, and it is said.

Of 60 MB; SCENARIO_SCALE=16 makes it 960 MB. The server itself cannot hold a row of 1 GB.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

BYTES = 60000000 * scenario.SCALE
MEMORY = 224 * scenario.SCALE  # MB
SUM = "SELECT id, n, length(value), md5(value) FROM huge ORDER BY id"


def main(s):
    source = s.server({"logical_decoding_work_mem": "1MB"})
    source.sql(f"CREATE TABLE huge (id int PRIMARY KEY, n int, value text); ALTER TABLE huge ALTER value SET STORAGE EXTERNAL;"
               f"INSERT INTO huge VALUES (1, 1, repeat('abcdefghij', {BYTES // 10}))")
    target = s.target()
    options = ["--name", "huge", "--memory", f"{MEMORY}MB"]
    copy = s.sync_until_caught_up(source.uri(), target, *options, seconds=300)
    run = s.sync(source.uri(), target, *options)
    source.sql(f"INSERT INTO huge VALUES (2, 2, repeat('0123456789', {BYTES // 10}));"
               "INSERT INTO huge SELECT i, i, 'small' FROM generate_series(10, 300) AS i;"
               "BEGIN; UPDATE huge SET n = n + 1 WHERE id = 2; UPDATE huge SET id = 3 WHERE id = 1; UPDATE huge SET value = value || 'x' WHERE id = 2; COMMIT;"
               "UPDATE huge SET n = n + 1")
    end = source.current_lsn()
    source.sql("CHECKPOINT")
    scenario.wait_for(lambda: not run.running() or source.sql(f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots") == "t",
                      300, "all of it is durable in the target")
    assert run.stop() == 0, run.error_tail()
    assert target.query(SUM) == source.sql(SUM), target.query(SUM)[:1000]
    print(f"peak resident memory of the copy {copy.peak_rss >> 20} MB, of the changes {run.peak_rss >> 20} MB, of {MEMORY} MB")
    copy.stays_below(MEMORY << 20)
    run.stays_below(MEMORY << 20)
    source.sql("UPDATE huge SET value = value || 'y' WHERE id = 2")
    more = s.sync_until_caught_up(source.uri(), target, *options[:2], "--memory", "64MB", seconds=300)
    assert "public.huge" in more.stderr and "more than --memory" in more.stderr and target.query(SUM) == source.sql(SUM), more.stderr


scenario.run(main, cases=["postgres"])
