#!/usr/bin/env python3
"""Transactions of some hundred thousand rows, which the server streams while they are in progress, with aborted subtransactions:
seen whole or not at all, and within --memory.

SCENARIO_SCALE=10 makes it 3 million rows; CLICKHOUSE_ALL=1 adds ClickHouse.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

ROWS = 300000 * scenario.SCALE
MEMORY = 64
# What DuckDB's library itself takes besides (code, its own threads), and libpq.
ALLOWANCE = {"stdout": 64, "duckdb": 256, "postgres": 64, "clickhouse": 64}

LARGE = f"""
BEGIN;
INSERT INTO big SELECT i, i % 100, repeat('x', 100) FROM generate_series(1, {ROWS}) AS i;
SAVEPOINT a;
INSERT INTO big SELECT -i, i % 100, repeat('y', 100) FROM generate_series(1, {ROWS // 4}) AS i;
SAVEPOINT b;
UPDATE big SET n = n + 1 WHERE id % 10 = 0;
ROLLBACK TO b;
INSERT INTO small VALUES (1);
ROLLBACK TO a;
UPDATE big SET n = n + 1 WHERE id % 10 = 0;
DELETE FROM big WHERE id % 10 = 1;
COMMIT;
"""


def main(s):
    source = s.server({"logical_decoding_work_mem": "64kB"})
    source.sql("CREATE TABLE big (id int PRIMARY KEY, n int, filler text); CREATE TABLE small (id int)")
    target = s.target()
    options = ["--name", "large", "--memory", f"{MEMORY}MB"]
    s.sync_until_caught_up(source.uri(), target, *options)
    base = s.runs[-1].peak_rss

    # while it runs, so that the server sends them in progress: a backlog's transactions would come at their commit
    run = s.sync(source.uri(), target, *options)
    scenario.wait_for(lambda: source.sql("SELECT active FROM pg_replication_slots") == "t", 60, "the stream begins")
    # two large transactions in progress at the same time, and a third that is given up as a whole
    given_up = s.session(source, f"BEGIN; INSERT INTO big SELECT i, 0, 'no' FROM generate_series(10000001, {10000000 + ROWS // 4}) AS i;")
    beside = s.session(source, f"BEGIN; INSERT INTO big SELECT i, 0, 'yes' FROM generate_series(20000001, {20000000 + ROWS // 4}) AS i;")
    source.sql(LARGE)
    beside.stdin.write("COMMIT;\n")
    s.end_session(beside)
    end = source.current_lsn()
    scenario.wait_for(lambda: not run.running() or source.sql(f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots") == "t",
                      200, "all of it is durable in the target")
    assert run.stop() == 0, run.error_tail()
    streamed = source.sql("SELECT stream_txns > 0 FROM pg_stat_replication_slots")
    assert streamed == "t", "no transaction was sent in progress"
    given_up.stdin.write("ROLLBACK;\n")
    s.end_session(given_up)
    s.sync_until_caught_up(source.uri(), target, *options)
    s.equal(source, target)
    limit = max(base, 20 << 20) + ((MEMORY + ALLOWANCE[s.case]) << 20)
    run.stays_below(limit)
    print(f"peak resident memory {run.peak_rss >> 20} MB of {limit >> 20} MB ({base >> 20} MB at rest)")


scenario.run(main, cases=[*scenario.SINKS, *(["clickhouse"] if "CLICKHOUSE_ALL" in os.environ else [])])
