#!/usr/bin/env python3
"""A label added to an enum while changes stream is there at once, in its place, also in arrays, domains and composites: no second attempt
is made, and rows of the same transaction go along. A label that was renamed since does not stop the stream."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN good_mood AS mood;
CREATE TYPE day AS (no int, felt mood);
CREATE TABLE people (id int PRIMARY KEY, now mood, week mood[], day day, best good_mood, note text);
CREATE TABLE keyed (mood mood PRIMARY KEY, n int);
CREATE TABLE whole (mood mood, n int);
ALTER TABLE whole REPLICA IDENTITY FULL;
INSERT INTO people SELECT i, 'ok', '{sad,happy}', ROW(i, 'sad')::day, 'happy', 'copied' FROM generate_series(1, 100) AS i;
INSERT INTO keyed VALUES ('ok', 1);
INSERT INTO whole VALUES ('ok', 1);
"""
STEPS = """
UPDATE people SET note = 'streamed' WHERE id < 3;
ALTER TYPE mood ADD VALUE 'furious' BEFORE 'sad';
ALTER TYPE mood ADD VALUE 'so so, "la la"' AFTER 'ok';
BEGIN;
INSERT INTO people VALUES (200, 'ok', '{ok}', ROW(1, 'ok')::day, 'ok', 'before');
UPDATE people SET now = 'furious', note = 'same transaction' WHERE id IN (4, 200);
INSERT INTO keyed VALUES ('so so, "la la"', 2);
UPDATE whole SET mood = 'furious';
COMMIT;
ALTER TYPE mood ADD VALUE 'in an array';
UPDATE people SET week = '{sad,NULL,in an array}' WHERE id = 5;
ALTER TYPE mood ADD VALUE 'in a composite';
UPDATE people SET day = ROW(1, 'in a composite')::day WHERE id = 6;
ALTER TYPE mood ADD VALUE 'in a domain';
UPDATE people SET best = 'in a domain' WHERE id = 7;
UPDATE whole SET mood = 'ok' WHERE mood = 'furious';
UPDATE keyed SET mood = 'sad' WHERE mood = 'ok';
"""
LABELS = "SELECT string_agg(enumlabel, '|' ORDER BY enumsortorder) FROM pg_enum e JOIN pg_type t ON t.oid = enumtypid WHERE typname = 'mood'"


def confirmed(source, slot):
    return source.sql(f"SELECT confirmed_flush_lsn - '0/0' FROM pg_replication_slots WHERE slot_name = '{slot}'")


def follow(s, source, target, name, steps):
    """The steps, while a sync runs that must neither end nor begin again."""
    run = s.sync(source.uri(), target, "--name", name)
    scenario.wait_for(lambda: source.sql("SELECT active FROM pg_replication_slots") == "t" or not run.running(), 60, "it streams")
    source.sql(steps)
    end = int(source.sql("SELECT pg_current_wal_insert_lsn() - '0/0'"))
    scenario.wait_for(lambda: int(confirmed(source, "pgconvoy_" + name)) >= end or not run.running(), 60, "it is durable")
    assert run.running(), run.error_tail()
    assert "again" not in run.stderr, "a second attempt was made:\n" + run.stderr
    assert run.stop() == 0, run.error_tail()


def main(s):
    source = s.server(binaries=scenario.embedded_postgres(13) if "13" in s.case else None)
    source.sql(TABLES)
    target = s.target(s.case.split("-")[0])
    follow(s, source, target, "labels", STEPS)
    s.equal(source, target)
    if target.name == "postgres":
        assert target.query(LABELS) == source.sql(LABELS), target.query(LABELS)
    # not running while the label comes, and renamed before its rows are read
    source.sql("ALTER TYPE mood ADD VALUE 'short-lived'; INSERT INTO people VALUES (300, 'short-lived', '{}', NULL, NULL, ''); DELETE FROM people WHERE id = 300; "
               "ALTER TYPE mood RENAME VALUE 'short-lived' TO 'long-lived'; INSERT INTO people VALUES (301, 'long-lived', '{long-lived}', NULL, NULL, '')")
    s.sync_until_caught_up(source.uri(), target, "--name", "labels")
    s.equal(source, target)


cases = list(scenario.SINKS)
if os.environ.get("SCENARIO_FULL"):
    cases += ["duckdb-13", "postgres-13"]
scenario.run(main, cases=cases)
