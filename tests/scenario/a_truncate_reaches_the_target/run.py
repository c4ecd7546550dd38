#!/usr/bin/env python3
"""TRUNCATE of one table, of several, with CASCADE, with RESTART IDENTITY, between other changes of the same transaction."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = """
CREATE TABLE a (id int PRIMARY KEY, name text);
CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a);
CREATE TABLE c (id serial, name text);
INSERT INTO a SELECT i, 'a' FROM generate_series(1, 50) AS i;
INSERT INTO b SELECT i, i FROM generate_series(1, 50) AS i;
INSERT INTO c (name) SELECT 'c' FROM generate_series(1, 50);
"""


def main(s):
    source = s.server()
    source.sql(TABLES)
    target = s.target()

    def step(sql):
        source.sql(sql)
        s.sync_until_caught_up(source.uri(), target, "--name", "truncate")
        s.equal(source, target)

    step("SELECT 1")
    step("TRUNCATE c RESTART IDENTITY; INSERT INTO c (name) VALUES ('after')")
    step("BEGIN; INSERT INTO a VALUES (100, 'before'); TRUNCATE a CASCADE; INSERT INTO a VALUES (100, 'after');"
         "INSERT INTO b VALUES (1, 100); UPDATE a SET name = 'last'; COMMIT;")
    step("TRUNCATE a, b, c; INSERT INTO a VALUES (1, 'x')")
    step("BEGIN; TRUNCATE a CASCADE; ROLLBACK;")
    step("BEGIN; INSERT INTO c (name) VALUES ('gone'); SAVEPOINT s; TRUNCATE c; ROLLBACK TO s; INSERT INTO c (name) VALUES ('y'); COMMIT;")
    if s.case == "postgres":  # a foreign key that only the target has, or from a table whose copy is of a later state
        target.query("CREATE TABLE only_here (a_id int REFERENCES a)")
        step("BEGIN; INSERT INTO a VALUES (3, 'gone'); TRUNCATE a, b; INSERT INTO a VALUES (2, 'stays'); COMMIT")


scenario.run(main, cases=scenario.SINKS)
