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


def whole_rows(s):
    """A replica identity with generated columns: 18 refuses updates where these are not published. Ours publishes the stored ones, which arrive; what is computed
    when it is read cannot be published, and a table with that is not made unwritable without a word."""
    binaries = scenario.embedded_postgres("18")
    source = s.server(binaries=binaries)
    source.sql("CREATE TABLE whole (a int, twice int GENERATED ALWAYS AS (a * 2) STORED, b text); ALTER TABLE whole REPLICA IDENTITY FULL; INSERT INTO whole (a, b) SELECT i, 'b' FROM generate_series(1, 50) AS i;"
               "CREATE TABLE keyed (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED); INSERT INTO keyed SELECT generate_series(1, 50);"
               "CREATE TABLE quiet (a int, twice int GENERATED ALWAYS AS (a * 2) VIRTUAL); ALTER TABLE quiet REPLICA IDENTITY FULL")
    target = s.target(s.case.split("-")[0], server=s.server(binaries=binaries) if s.case == "postgres-whole" else None)
    options = ["--name", "it", "-T", "quiet"]
    s.sync_until_caught_up(source.uri(), target, *options)
    for rows in (3, 40):
        source.sql(f"UPDATE whole SET a = a + 100 WHERE a <= {rows}; DELETE FROM whole WHERE a = {rows + 1}; INSERT INTO whole (a, b) VALUES ({rows + 500}, 'new');"
                   f"UPDATE keyed SET id = id + 100 WHERE id <= {rows}; DELETE FROM keyed WHERE id = {rows + 1}; INSERT INTO keyed VALUES ({rows + 500})")
        s.sync_until_caught_up(source.uri(), target, *options)
        s.equal(source, target, tables=[("public", "whole"), ("public", "keyed")])
    # one that comes later does not join, and can be written to
    run = s.sync(source.uri(), target, "--name", "it")
    scenario.wait_for(lambda: "quiet does not join the pipeline" in run.stderr or not run.running(), 30, "it has looked for new tables")
    source.sql("INSERT INTO quiet VALUES (1); UPDATE quiet SET a = 2")
    assert run.stop() == 0 and "would refuse updates and deletes" in run.stderr, run.error_tail()
    scenario.wait_for(lambda: source.sql("SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'quiet'") == "1", 20, "the server has counted")
    other = s.target("stdout", name="other")
    words = ["public.quiet", "REPLICA IDENTITY FULL", "virtual"]
    s.sync(source.uri(), other, "--name", "new").fails(1, ["public.quiet", "REPLICA IDENTITY FULL with a generated column", "refuse once published"])
    run = s.pgconvoy("check", source.uri(), "-")
    run.wait()
    assert all(word in run.stdout for word in words), run.stdout


scenario.run(lambda s: whole_rows(s) if s.case.endswith("-whole") else main(s), cases=[*scenario.SINKS, "postgres-whole", "duckdb-whole"])
