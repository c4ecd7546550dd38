#!/usr/bin/env python3
"""While a pipeline is away a migration gives columns other types, or drops them, and then drops the types: enum, domain, composite, range, and one that came and went meanwhile. Rows of
before still have them in the stream, and the source's catalog knows them no more. The pipeline goes on and ends equal, with event triggers and (…-off) without; and so
it does where all values had been binary until then, of which nobody knows the form any more."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE DOMAIN posint AS int CHECK (VALUE > 0); CREATE TYPE pair AS (x int, y text); CREATE TYPE span AS RANGE (subtype = float8); CREATE TYPE hue AS ENUM ('red', 'blue');
CREATE TABLE e (id int PRIMARY KEY, m mood NOT NULL, ms mood[]); INSERT INTO e SELECT i, 'ok', '{sad,ok}' FROM generate_series(1, 20) AS i;
CREATE TABLE d (id int PRIMARY KEY, n posint NOT NULL, ns posint[]); INSERT INTO d SELECT i, i, ARRAY[i] FROM generate_series(1, 20) AS i;
CREATE TABLE c (id int PRIMARY KEY, p pair); INSERT INTO c SELECT i, ROW(i, 'x'::text)::pair FROM generate_series(1, 20) AS i;
CREATE TABLE r (id int PRIMARY KEY, s span); INSERT INTO r SELECT i, span(i, i + 1) FROM generate_series(1, 20) AS i;
CREATE TABLE x (id int PRIMARY KEY, h hue, n int); INSERT INTO x SELECT i, 'red', i FROM generate_series(1, 20) AS i"""
KIND = """CREATE TYPE kind AS ENUM ('a', 'b', 'c'); CREATE TABLE k (id int PRIMARY KEY, k kind NOT NULL CHECK (k <> 'b')); CREATE INDEX not_a ON k (k) WHERE k <> 'a'; INSERT INTO k SELECT i, 'a' FROM generate_series(1, 20) AS i"""
# An enum loses labels: it is replaced by another one, which gets its name. What refers to it goes before, and comes back.
SWAP = ["DELETE FROM k WHERE k = '{1}'", "ALTER TABLE k DROP CONSTRAINT k_k_check", "DROP INDEX not_a", "CREATE TYPE kind_new AS ENUM ({0})", "ALTER TABLE k ALTER k TYPE kind_new USING k::text::kind_new", "DROP TYPE kind",
        "ALTER TYPE kind_new RENAME TO kind", "ALTER TABLE k ADD CHECK (k <> 'b')", "CREATE INDEX not_a ON k (k) WHERE k <> 'a'", "INSERT INTO k SELECT max(id) + 1, 'a' FROM k"]
# of the first all values are the same bytes at both ends, so that they come in binary
STEPS = [
    ["x"], ["UPDATE x SET h = 'blue' WHERE id < 7", "INSERT INTO x VALUES (100, 'red', 1)", "ALTER TABLE x DROP COLUMN h", "DROP TYPE hue", "UPDATE x SET n = n + 1",
            "CREATE TYPE gone AS ENUM ('a', 'b')", "ALTER TABLE x ADD COLUMN t gone", "UPDATE x SET t = 'a' WHERE id < 4", "ALTER TABLE x ALTER t TYPE text", "DROP TYPE gone", "UPDATE x SET t = 'z' WHERE id = 9"],
    ["d"], ["INSERT INTO d VALUES (100, 7, '{8,9}')", "UPDATE d SET n = n + 1 WHERE id < 5", "ALTER TABLE d ALTER n TYPE int, ALTER ns TYPE int[]", "DROP DOMAIN posint", "UPDATE d SET n = -1 WHERE id = 7"],
    ["e", "c", "r"], ["INSERT INTO e VALUES (100, 'happy', '{happy,sad}')", "UPDATE e SET m = 'sad' WHERE id < 5", "ALTER TABLE e ALTER m TYPE text USING m || '!', ALTER ms TYPE text[]", "DROP TYPE mood",
                      "UPDATE e SET m = 'neu' WHERE id = 7", "INSERT INTO c VALUES (100, (7, 'a'))", "UPDATE c SET p = (0, 'u') WHERE id < 5", "ALTER TABLE c ALTER p TYPE text USING p::text", "DROP TYPE pair",
                      "UPDATE c SET p = 'neu' WHERE id = 7", "INSERT INTO r VALUES (100, span(2, 3))", "UPDATE r SET s = NULL WHERE id < 5", "ALTER TABLE r DROP COLUMN s", "DROP TYPE span", "INSERT INTO r VALUES (101)"]]
SWAPS = ["UPDATE k SET k = 'c' WHERE id < 5", "ALTER TABLE k ADD n int", "INSERT INTO k VALUES (100, 'a', 1)", "ALTER TABLE k ADD CHECK (n > 0)", *[step.format("'a', 'b'", "c") for step in SWAP], "UPDATE k SET n = 7 WHERE id = 7",
            *[step.format("'a', 'b', 'd'", "b") for step in SWAP], "INSERT INTO k VALUES (200, 'd', 1)"]


def swapped(s, kind, source, options):
    source.create_database("swapped")
    source.sql(KIND, "swapped")
    target = s.target(kind, name="swapped_target")
    s.sync_until_caught_up(source.uri("swapped"), target, "--name", "swapped", *options)
    for step in SWAPS:
        source.sql(step, "swapped")
    s.sync_until_caught_up(source.uri("swapped"), target, "--name", "swapped", *options)
    s.equal(source, target, database="swapped")
    if kind == "postgres" and not options:
        assert target.query("SELECT enum_range(NULL::kind)") == "{a,b,d}", target.query("SELECT enum_range(NULL::kind)")


def main(s):
    kind, _, off = s.case.partition("-")
    source, target = s.server(), s.target(kind)
    source.sql(TABLES)
    for number, (tables, steps) in enumerate(zip(STEPS[::2], STEPS[1::2])):
        options = ["--name", f"part_{number}", *[word for table in tables for word in ("-t", table)], *(["--ddl=off"] if off else [])]
        s.sync_until_caught_up(source.uri(), target, *options)
        for step in steps:
            source.sql(step)
        went_on = s.sync_until_caught_up(source.uri(), target, *options)
        if tables == ["x"] and kind == "postgres":
            assert "(binary values)" in went_on.stderr and "only the text of its values can be read: going on with text" in went_on.stderr, went_on.error_tail()
        assert "trying again" not in went_on.stderr, went_on.error_tail()
        s.equal(source, target, tables=[("public", table) for table in tables])
    swapped(s, kind, source, ["--ddl=off"] if off else [])


scenario.run(main, cases=[kind + off for kind in ("postgres", "duckdb", "clickhouse", "bigquery", "snowflake") for off in ("", "-off")])
