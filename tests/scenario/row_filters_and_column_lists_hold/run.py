#!/usr/bin/env python3
"""What a publication leaves out, by a row filter or a column list, arrives neither with the copy nor with the stream."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = """
CREATE TABLE filtered (id int PRIMARY KEY, n int, name text);
CREATE TABLE narrow (id int PRIMARY KEY, secret text, name text, doubled int GENERATED ALWAYS AS (id * 2) STORED);
CREATE TABLE mixed (id int, shown bool, secret text, name text, PRIMARY KEY (id, shown));
CREATE TABLE inserts_elsewhere (id int PRIMARY KEY);
INSERT INTO filtered SELECT i, i % 10, 'row ' || i FROM generate_series(1, 100) AS i;
INSERT INTO narrow SELECT i, 'secret ' || i, 'row ' || i FROM generate_series(1, 100) AS i;
INSERT INTO mixed SELECT i, i % 2 = 0, 'secret ' || i, 'row ' || i FROM generate_series(1, 100) AS i;
ALTER TABLE filtered REPLICA IDENTITY FULL;
CREATE PUBLICATION mine FOR TABLE filtered WHERE (n < 5), TABLE narrow (id, name), TABLE mixed (id, shown, name) WHERE (shown);
"""

CHANGES = """
INSERT INTO filtered SELECT i, i % 10, 'row ' || i FROM generate_series(101, 200) AS i;
INSERT INTO narrow SELECT i, 'secret ' || i, 'row ' || i FROM generate_series(101, 200) AS i;
INSERT INTO mixed SELECT i, i % 2 = 0, 'secret ' || i, 'row ' || i FROM generate_series(101, 200) AS i;
UPDATE filtered SET n = 9 WHERE n = 1;  -- leaves
UPDATE filtered SET n = 2 WHERE n = 7;  -- comes
UPDATE filtered SET name = 'new' WHERE n = 3;
DELETE FROM filtered WHERE n = 4;
UPDATE narrow SET secret = 'other', name = name || '!' WHERE id % 2 = 0;
DELETE FROM narrow WHERE id % 7 = 0;
UPDATE mixed SET shown = NOT shown WHERE id % 3 = 0;
INSERT INTO inserts_elsewhere VALUES (1);
"""


def main(s):
    source = s.server()
    source.sql(TABLES)
    target = s.target()

    def compare():
        text = [("id", "integer"), ("n", "integer"), ("name", "text")]
        s.equal(source, target, tables=[("public", "filtered")], columns=text, where="WHERE n < 5")
        s.equal(source, target, tables=[("public", "narrow")], columns=[("id", "integer"), ("name", "text")])
        s.equal(source, target, tables=[("public", "mixed")], where="WHERE shown",
                columns=[("id", "integer"), ("shown", "boolean"), ("name", "text")])

    s.sync_until_caught_up(source.uri(), target, "--name", "filters", "--publication", "mine")
    compare()
    source.sql(CHANGES)
    s.sync_until_caught_up(source.uri(), target, "--name", "filters", "--publication", "mine")
    compare()
    if s.case == "stdout":
        assert "secret" not in open(target.path).read(), "a column that is not published was written"
    else:
        columns = target.query("SELECT column_name FROM information_schema.columns WHERE table_name = 'narrow'")
        assert "secret" not in columns, columns


scenario.run(main, cases=scenario.SINKS)
