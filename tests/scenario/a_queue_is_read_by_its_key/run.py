#!/usr/bin/env python3
"""A table that is empty most of the time is still read by its key once it has many rows: whatever its statistics say, and whatever plan the target's server has kept since then."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

ROWS, BATCH = 20000, 150
TABLES = ("queue", "by_two")


def main(s):
    source = s.server()
    target_server = s.server({"autovacuum": "off"})  # the statistics are those that are made below
    source.sql("CREATE TABLE queue (id int PRIMARY KEY, n int); CREATE TABLE by_two (a int, b uuid, n int, PRIMARY KEY (a, b));"
               "INSERT INTO queue VALUES (0, 0); INSERT INTO by_two VALUES (0, md5(random()::text)::uuid, 0)")
    target = s.target("postgres", target_server)
    run = s.sync(source.uri(), target, "--name", "q")

    def arrives(sql):
        source.sql(sql)
        end = source.current_lsn()
        scenario.wait_for(lambda: source.sql(f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots") == "t", 60, "it has arrived")

    def fill(first, count):
        """Keys that lie far apart: those that lie together are met by reading a range."""
        arrives(f"INSERT INTO queue SELECT i * 1000, 0 FROM generate_series({first}, {first + count - 1}) i;"
                f"INSERT INTO by_two SELECT i * 1000, md5(random()::text)::uuid, 0 FROM generate_series({first}, {first + count - 1}) i")

    def empty(first, count):
        arrives(f"UPDATE queue SET n = n + 1 WHERE id BETWEEN {first * 1000} AND {(first + count - 1) * 1000}; UPDATE by_two SET n = n + 1 WHERE a BETWEEN {first * 1000} AND {(first + count - 1) * 1000}")
        arrives(f"DELETE FROM queue WHERE id BETWEEN {first * 1000} AND {(first + count - 1) * 1000}; DELETE FROM by_two WHERE a BETWEEN {first * 1000} AND {(first + count - 1) * 1000}")

    scenario.wait_for(lambda: source.sql("SELECT count(*) FROM pg_replication_slots WHERE active") == "1", 60, "it streams")
    for number in range(8):
        fill(1 + number * BATCH, BATCH)
        empty(1 + number * BATCH, BATCH)
        target.query("VACUUM (ANALYZE, TRUNCATE off) queue, by_two")  # all that it sees is one row
    fill(100000, ROWS)
    read = "SELECT relname, sum(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = 'public' GROUP BY 1 ORDER BY 1"
    seen = lambda: {name: int(count) for name, count in (line.split("|") for line in target.query(read).split("\n"))}
    before = seen()
    for number in range(3):
        empty(100000 + number * BATCH, BATCH)
    assert run.stop() == 0, run.error_tail()  # the session's counts are told by its end at the latest
    scenario.wait_for(lambda: min(seen()[name] - before[name] for name in TABLES) >= 6 * BATCH, 20, "the server has counted")
    after = seen()
    for name in TABLES:
        assert after[name] - before[name] <= 4 * 6 * BATCH, f"{after[name] - before[name]} entries of {name}'s index were read for {6 * BATCH} rows"
    s.equal(source, target)


scenario.run(main)
