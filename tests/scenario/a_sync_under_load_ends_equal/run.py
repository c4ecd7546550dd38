#!/usr/bin/env python3
"""A pgbench database that is written to all the while is copied and followed, and is equal at the end, row by row.

SCENARIO_SCALE=20 makes it the long form; CLICKHOUSE_ALL=1 adds ClickHouse.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario


def main(s):
    source = s.server()
    source.pgbench_init(scenario.SCALE)
    target = s.target()
    load = s.load(source.pgbench("-c", 2, "-T", 3600, "-R", 500 * scenario.SCALE))
    s.sync_until_caught_up(source.uri(), target, "--name", "load", seconds=300)
    follow = s.sync(source.uri(), target, "--name", "load")
    time.sleep(3 + scenario.SCALE)
    assert follow.running(), f"it ended by itself: {follow.error_tail()}"
    assert load.running(), "the load ended by itself"
    load.stop()
    status = follow.stop()
    assert status == 0, f"SIGTERM gave exit status {status}\n{follow.error_tail()}"
    s.sync_until_caught_up(source.uri(), target, "--name", "load")
    s.equal(source, target)
    assert int(source.sql("SELECT count(*) FROM pgbench_history")) > 500


scenario.run(main, cases=[*scenario.SINKS, *(["clickhouse", "clickhouse-server"] if "CLICKHOUSE_ALL" in os.environ else [])])
