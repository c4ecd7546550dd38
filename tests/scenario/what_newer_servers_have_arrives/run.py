#!/usr/bin/env python3
"""What only 18 has: keys and foreign keys over ranges, columns that are computed when they are read, constraints that are not enforced or not null by name. Its tables arrive,
one change at a time and as a backlog."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = """
CREATE EXTENSION btree_gist;
CREATE TABLE booked (id int, during daterange, note text, PRIMARY KEY (id, during WITHOUT OVERLAPS));
CREATE TABLE used (id int, during daterange, room int, PRIMARY KEY (id, during WITHOUT OVERLAPS), FOREIGN KEY (room, PERIOD during) REFERENCES booked (id, PERIOD during));
CREATE TABLE computed (id int PRIMARY KEY, a int, virtual int GENERATED ALWAYS AS (a * 2) VIRTUAL, stored int GENERATED ALWAYS AS (a * 3) STORED, note text);
CREATE TABLE loose (id uuid DEFAULT uuidv7() PRIMARY KEY, a int CONSTRAINT named NOT NULL, b int CHECK (b > 0) NOT ENFORCED);
ALTER TABLE loose ADD CONSTRAINT late NOT NULL b NOT VALID;
CREATE TABLE child (id int PRIMARY KEY, parent uuid REFERENCES loose NOT ENFORCED);
"""
# {0} and {1}: the first row and the last
LOAD = """
INSERT INTO booked SELECT i, daterange('2020-01-01', '2020-06-01'), 'n' FROM generate_series({0}, {1}) AS i;
INSERT INTO booked SELECT i, daterange('2020-06-01', '2021-01-01'), 'n' FROM generate_series({0}, {1}) AS i;
UPDATE booked SET note = 'u' WHERE id % 2 = 0;
UPDATE booked SET during = daterange('2020-06-02', '2021-02-01') WHERE id % 3 = 0 AND lower(during) = '2020-06-01';
DELETE FROM booked WHERE id BETWEEN {0} AND {1} AND id % 5 = 0 AND lower(during) = '2020-01-01';
INSERT INTO used SELECT id, during, id FROM booked WHERE id BETWEEN {0} AND {1};
INSERT INTO computed (id, a, note) SELECT i, i, 'c' FROM generate_series({0}, {1}) AS i;
UPDATE computed SET a = a + 1 WHERE id % 2 = 0; DELETE FROM computed WHERE id % 7 = 0;
INSERT INTO loose (a, b) SELECT i, i FROM generate_series({0}, {1}) AS i; UPDATE loose SET b = -1 WHERE a % 3 = 0;
INSERT INTO child SELECT i, gen_random_uuid() FROM generate_series({0}, {1}) AS i;
"""
# sent to nobody: PostgreSQL computes it at the target
COMPUTED = ("virtual", "stored")


def equal(s, source, target):
    for name in ("booked", "used", "computed", "loose", "child"):
        columns = [column for column in source.columns("public", name) if s.case == "postgres" or column[0] not in COMPUTED]
        s.equal(source, target, tables=[("public", name)], columns=columns)


def main(s):
    binaries = scenario.embedded_postgres("18")
    source = s.server(binaries=binaries)
    source.sql(TABLES + LOAD.format(1, 40))
    target = s.target(server=s.server(binaries=binaries) if s.case == "postgres" else None)
    run = s.sync_until_caught_up(source.uri(), target, "--name", "it")
    for first, last in ((101, 104), (1001, 3000)):
        source.sql(LOAD.format(first, last))
        run = s.sync_until_caught_up(source.uri(), target, "--name", "it")
        assert "conflict" not in run.stderr and "slow" not in run.stderr, run.stderr
        equal(s, source, target)
    if s.case == "postgres":  # with care, as a row is missing
        target.query("DELETE FROM child WHERE id = 1")
        source.sql("BEGIN; UPDATE child SET parent = NULL WHERE id = 1;" + LOAD.format(5001, 5020) + "COMMIT")
        s.sync_until_caught_up(source.uri(), target, "--name", "it")
        equal(s, source, target)


scenario.run(main, cases=scenario.SINKS)
