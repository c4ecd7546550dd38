#!/usr/bin/env python3
"""A pgbench database that is written to all the while is copied and followed, and is equal at the end, row by row.

SCENARIO_SCALE=20 makes it the long form; CLICKHOUSE_ALL=1 adds ClickHouse, SCENARIO_DEMO=1 the demo's database for each sink.
"""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario


def demo(s):
    """The Debian archive under the demo's own load."""
    source = s.server()
    subprocess.run([os.path.join(scenario.TOP, "demo/load"), source.uri()], check=True, stdout=subprocess.DEVNULL)
    target = s.target(s.case.partition("-")[0])
    load = subprocess.Popen([os.path.join(scenario.TOP, "demo/write-load"), source.uri(), "20"], stdout=subprocess.PIPE, text=True)
    follow = s.sync(source.uri(), target, "--name", "demo")
    written, _ = load.communicate()
    assert load.returncode == 0 and int(written) > 1000, written
    assert follow.running(), f"it ended by itself: {follow.error_tail()}"
    assert follow.stop() == 0, follow.error_tail()
    s.sync_until_caught_up(source.uri(), target, "--name", "demo")
    s.equal(source, target)


def main(s):
    if s.case.endswith("-demo"):
        return demo(s)
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


scenario.run(main, cases=[*scenario.SINKS, *(["clickhouse", "clickhouse-server"] if "CLICKHOUSE_ALL" in os.environ else []),
                          *([f"{sink}-demo" for sink in (*scenario.SINKS, "clickhouse")] if "SCENARIO_DEMO" in os.environ else [])])
