#!/usr/bin/env python3
"""Where the target's role may not silence foreign keys and triggers, a backlog is applied in commit order: no foreign key is violated on the
way, and a trigger sees each change. A table that none of them concerns still goes in bulk."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = """
CREATE TABLE parent (id int PRIMARY KEY, name text);
CREATE TABLE child (id int PRIMARY KEY, parent_id int NOT NULL REFERENCES parent, name text);
CREATE TABLE alone (id int PRIMARY KEY, name text);
"""

TRIGGER = """
CREATE TABLE seen (n int);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.seen VALUES (1); RETURN NULL; END';
CREATE TRIGGER see AFTER UPDATE ON child FOR EACH ROW EXECUTE FUNCTION see();
"""


def main(s):
    source = s.server()
    source.sql(TABLES + "CREATE ROLE plain LOGIN")
    target = s.target()
    target.query("GRANT CREATE ON DATABASE target TO plain; GRANT ALL ON SCHEMA public TO plain; SET ROLE plain;" + TABLES + TRIGGER)
    target.uri = target.server.uri("target", user="plain")
    options = ["--name", "plain", "--table", "public.*", "--if-exists", "append"]
    s.sync_until_caught_up(source.uri(), target, *options)
    source.sql("INSERT INTO parent SELECT i, 'p' FROM generate_series(1, 300) AS i; INSERT INTO child SELECT i, i, 'c' FROM generate_series(1, 300) AS i;"
               "INSERT INTO alone SELECT i, 'a' FROM generate_series(1, 5000) AS i; UPDATE alone SET name = 'b' WHERE id % 2 = 0;"
               "UPDATE child SET name = name || '.' WHERE id < 100; UPDATE child SET name = name || '.' WHERE id < 100;"
               "DELETE FROM child WHERE id > 200; DELETE FROM parent WHERE id > 200; INSERT INTO parent VALUES (1000, 'late');"
               "UPDATE child SET parent_id = 1000; DELETE FROM parent WHERE id < 1000")
    s.sync_until_caught_up(source.uri(), target, *options)
    s.equal(source, target, tables=[("public", name) for name in ("parent", "child", "alone")])
    assert target.query("SELECT count(*) FROM seen") == "398", target.query("SELECT count(*) FROM seen")


scenario.run(main, cases=["postgres"])
