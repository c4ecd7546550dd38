#!/usr/bin/env python3
"""What the issue trackers of other tools are full of, where no scenario of its own has it; tests/pains.md says which test has what."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = """
CREATE FUNCTION big(seed int) RETURNS text LANGUAGE sql AS
    $$ SELECT string_agg(md5((seed * 1000 + i)::text), '') FROM generate_series(1, 100) AS i $$;
CREATE TABLE documents (id int PRIMARY KEY, n int, body text);
ALTER TABLE documents ALTER body SET STORAGE EXTERNAL;
CREATE TABLE shapes (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED,
    bytes bytea, list int[], doc json);
CREATE TABLE people (id int PRIMARY KEY, name text);
CREATE TABLE events (n int, note text);
CREATE TABLE parts (id int, day int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
INSERT INTO people SELECT i, 'name ' || i FROM generate_series(1, 300) AS i;
INSERT INTO parts SELECT i, i % 20 FROM generate_series(1, 100) AS i;
CREATE PUBLICATION mine FOR TABLE documents, shapes, people, events, parts WITH (publish_via_partition_root = true);
"""


class Pains:
    def __init__(self, s):
        self.s = s
        self.source = s.server()
        self.source.sql(TABLES)
        self.target = s.target("postgres")
        self.sync()

    def sync(self):
        self.s.sync_until_caught_up(self.source.uri(), self.target, "--name", "pains", "--publication", "mine")

    def equal(self, *tables):
        self.s.equal(self.source, self.target, tables=[("public", table) for table in tables])

    def an_insert_and_an_update_that_meet_in_one_batch_keep_the_toasted_value(self):
        self.source.sql("BEGIN; INSERT INTO documents SELECT i, 0, big(i) FROM generate_series(1, 300) AS i; UPDATE documents SET n = n + 1;"
                        "UPDATE documents SET n = n + 1 WHERE id % 2 = 0; UPDATE documents SET id = -id WHERE id % 10 = 0; COMMIT;"
                        "UPDATE documents SET n = n + 1; DELETE FROM documents WHERE id % 7 = 0; UPDATE documents SET body = NULL WHERE id % 11 = 0;")
        self.sync()
        self.equal("documents")
        assert self.target.query("SELECT count(*) FROM documents WHERE body IS NULL AND id % 11 <> 0") == "0"

    def generated_columns_nul_bytes_and_bounds_of_arrays_arrive(self):
        self.source.sql("INSERT INTO shapes (n, bytes, list, doc) SELECT i, '\\x00ff00', '[2:4]={1,NULL,3}', '\"\\u0000\"' "
                        "FROM generate_series(1, 150) AS i; UPDATE shapes SET n = -n, list = '[-1:0][5:6]={{1,2},{3,4}}' WHERE id % 3 = 0")
        self.sync()
        self.equal("shapes")
        rows = "SELECT count(*), sum(twice) FROM shapes"
        if self.target.query("SELECT attgenerated FROM pg_attribute WHERE attrelid = 'shapes'::regclass AND attname = 'twice'") == "s":
            assert self.target.query(rows) == self.source.sql(rows), "the generated column is not the source's"

    def columns_and_indexes_that_only_the_target_has_are_left_alone(self):
        self.target.query("ALTER TABLE people ADD local text DEFAULT 'new'; CREATE INDEX people_local ON people (local);"
                          "UPDATE people SET local = 'mine ' || id")
        self.source.sql("UPDATE people SET name = upper(name); DELETE FROM people WHERE id > 290; INSERT INTO people VALUES (1000, 'x')")
        self.sync()
        self.equal("people")
        assert self.target.query("SELECT count(*) FROM people WHERE local = 'mine ' || id") == "290"
        assert self.target.query("SELECT local FROM people WHERE id = 1000") == "new"
        assert self.target.query("SELECT to_regclass('people_local') IS NOT NULL") == "t"

    def rows_of_one_lsn_are_there_once_after_kills(self):
        """A COPY logs many rows in one record; a table without a key shows each that comes twice."""
        run = self.s.sync(self.source.uri(), self.target, "--name", "pains", "--publication", "mine")
        for number in range(3):
            self.source.sql(f"COPY events FROM PROGRAM 'seq -f \"{number}%g,note\" 1 5000' (FORMAT csv)")
            scenario.wait_for(lambda: not run.running() or int(self.target.query("SELECT count(*) FROM events")) > number * 5000, 60, "rows arrive")
            self.source.sql(f"COPY events FROM PROGRAM 'seq -f \"{number}%g,more\" 1 200' (FORMAT csv)")
            run.kill()
            run = self.s.sync(self.source.uri(), self.target, "--name", "pains", "--publication", "mine")
        assert run.stop() == 0, run.error_tail()
        self.sync()
        self.equal("events")

    def a_detached_partition_keeps_its_rows_and_an_attached_one_brings_its_own(self):
        self.source.sql("CREATE TABLE parts_3 (id int, day int, PRIMARY KEY (id, day)); ALTER TABLE parts ATTACH PARTITION parts_3 "
                        "FOR VALUES FROM (20) TO (30); INSERT INTO parts VALUES (1000, 25)")
        self.sync()
        self.equal("parts")
        self.source.sql("ALTER TABLE parts DETACH PARTITION parts_1; INSERT INTO parts_1 VALUES (2000, 1); INSERT INTO parts VALUES (2001, 15)")
        self.sync()
        self.equal("parts")
        rows = "SELECT count(*) FROM parts_1 WHERE id < 2000"
        assert self.target.query(rows) == self.source.sql(rows), "the detached partition's rows are gone"


HELD = """CREATE FUNCTION held(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM pg_catalog.pg_advisory_xact_lock_shared(7); RETURN $1; END';
CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 2000) i; CREATE INDEX ON t (held(id))"""


def a_copy_holds_no_dead_rows_back_while_indexes_are_made(s, source, command, *options):
    """The source's snapshot is released when the last row is read: rows that are deleted from then on can be vacuumed."""
    source.create_database(command, HELD)
    target = s.target("postgres", name=f"{command}_target")
    lock = s.session(source, "SELECT pg_advisory_lock(7);", target.database)
    run = s.pgconvoy(command, source.uri(command), target.uri, *options)
    waits = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{target.database}' AND wait_event = 'advisory' AND query LIKE '%CREATE INDEX%'"
    scenario.wait_for(lambda: source.sql(waits) == "1" or not run.running(), 60, "the index is being made")
    source.sql("DELETE FROM t", command)

    def vacuumed():
        source.sql("VACUUM t", command)
        return source.sql("SELECT pg_relation_size('t')", command) == "0"
    scenario.wait_for(vacuumed, 30, "the deleted rows can be vacuumed")
    assert source.sql(waits) == "1" and run.running(), run.error_tail()
    s.end_session(lock)
    run.ok()
    assert target.query("SELECT count(*) FROM pg_indexes WHERE tablename = 't'") == "2"
    assert target.query("SELECT count(*) FROM t") == ("2000" if command == "copy" else "0")


def the_table_of_pains_names_tests_that_exist():
    tests = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
    with open(os.path.join(tests, "pains.md")) as file:
        rows = [line for line in file if line.startswith("| ")][1:]
    folders = os.listdir(os.path.join(tests, "scenario"))
    others = [os.path.join(tests, "unit/sink/test_postgres_bulk.c"), os.path.abspath(__file__)]
    text = "".join(open(path).read() for path in others)
    for row in rows:
        names = re.findall(r"`([a-z_]+)[ `]", row.split("|")[2])
        assert names, f"no test is named: {row}"
        for name in names:
            assert name in folders or name in text, f"{name} is named in tests/pains.md and is not there"


def main(s):
    the_table_of_pains_names_tests_that_exist()
    pains = Pains(s)
    a_copy_holds_no_dead_rows_back_while_indexes_are_made(s, pains.source, "copy")
    a_copy_holds_no_dead_rows_back_while_indexes_are_made(s, pains.source, "sync", "--until", "caught-up")
    for name in [name for name in vars(Pains) if not name.startswith("_") and name not in ("sync", "equal")]:
        try:
            getattr(pains, name)()
        except AssertionError as problem:
            raise AssertionError(f"{name}: {problem}") from problem


scenario.run(main)
