#!/usr/bin/env python3
"""DuckDB has not the memory to commit, or for the checkpoint that follows: what it has in memory then may lack rows, and is not written over the file. The same command goes on
with more memory, from where the file is."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = """
CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, payload jsonb, kind text NOT NULL, PRIMARY KEY (id, at, kind));
CREATE TABLE notes (id bigint PRIMARY KEY, note text);
"""
# {0} and {1}: the first and the last; rows of up to 50 kB
LOAD = """
INSERT INTO events (at, payload, kind) SELECT '2020-06-01'::timestamptz + i * interval '10 day', jsonb_build_object('i', i, 'big', repeat('x', i * 10)), (ARRAY['a', 'b'])[1 + i % 2] FROM generate_series({0}, {1}) AS i;
INSERT INTO notes SELECT i, 'note ' || i FROM generate_series({0}, {1}) AS i;
UPDATE events SET kind = 'c', at = at + interval '1 year' WHERE id % 4 = 0;
UPDATE events SET payload = payload || '{{"z": 1.0}}';
DELETE FROM events WHERE id % 9 = 0;
UPDATE notes SET note = note || '!';
"""


def main(s):
    source = s.server()
    source.sql(TABLES + LOAD.format(1, 40))
    target = s.target("duckdb")
    s.sync_until_caught_up(source.uri(), target, "--name", "it")
    for first, last in ((101, 110), (1001, 3000), (4001, 5000)):
        source.sql(LOAD.format(first, last))
    failed = 0
    for _ in range(2):
        run = s.sync(source.uri(), target, "--name", "it", "--until", "caught-up")
        if run.wait(120) == 0:
            break
        assert "--memory" in run.stderr, run.error_tail()
        failed += "Failed to commit" in run.stderr
    print(f"{failed} commits failed")
    s.sync_until_caught_up(source.uri(), target, "--name", "it", "--memory", "2GB")
    s.equal(source, target)


scenario.run(main, cases=["duckdb"])
