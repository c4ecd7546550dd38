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


def other_fields_are_named(s):
    """A STRUCT of DuckDB's would take a composite's values by the names of its fields, and lose those of a field that has another name by now."""
    source, target = s.server(), s.target("duckdb", name="fields")
    source.sql("CREATE TYPE pair AS (a int, b text); CREATE TABLE t (id int PRIMARY KEY, \"P x\" pair, more pair[]); INSERT INTO t VALUES (1, ROW(1, 'x,)\"y'), ARRAY[ROW(2, 'z')::pair])")
    s.sync_until_caught_up(source.uri(), target, "--name", "fields").ok()
    before = target.query('SELECT "P x", more FROM public.t')
    for steps in ("ALTER TYPE pair RENAME ATTRIBUTE b TO c CASCADE; INSERT INTO t VALUES (2, ROW(3, 'new'))", "ALTER TYPE pair ADD ATTRIBUTE d int CASCADE; INSERT INTO t VALUES (4, ROW(3, 'new', 1))"):
        source.sql(steps)
        run = s.pgconvoy("sync", source.uri(), target.uri, "--name", "fields", "--until", "caught-up").fails()
        assert 'column P x of table public.t' in run.stderr and "--if-exists drop" in run.stderr, run.stderr
    assert target.query('SELECT "P x", more FROM public.t') == before
    s.pgconvoy("drop", source.uri(), target.uri, "--name", "fields").ok()
    s.sync_until_caught_up(source.uri(), target, "--name", "fields", "--if-exists", "drop").ok()
    s.equal(source, target)


def main(s):
    if s.case == "duckdb":
        other_fields_are_named(s)
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
    if target.name == "stdout":  # its lines are a history, in which a renaming is a line of its own
        return
    # rows of before the renaming are read after it, and rows that stay have the new name; so with the fields of a composite, which have moved
    renamed = ("INSERT INTO people VALUES (302, 'ok', '{ok,happy}', ROW(1, 'ok')::day, 'happy', ''); ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'; "
               "INSERT INTO people VALUES (303, 'fine', '{fine}', ROW(1, 'fine')::day, 'happy', ''); UPDATE whole SET n = 2 WHERE mood = 'fine'; ALTER TYPE mood ADD VALUE 'calm'; "
               "INSERT INTO keyed VALUES ('calm', 1)")
    if target.name == "duckdb":  # its type is changed with the next row, which takes that no row has the old name
        follow(s, source, target, "labels", renamed)
        s.sync_until_caught_up(source.uri(), target, "--name", "labels")  # the copy that it asks for
        return s.equal(source, target)
    source.sql(renamed)
    if target.name == "postgres":
        source.sql("ALTER TYPE day RENAME TO on_day; ALTER TYPE on_day ADD ATTRIBUTE at text CASCADE; INSERT INTO people VALUES (304, 'fine', '{}', ROW(1, 'fine', 'no, not a label')::on_day, 'happy', '');"
                   "ALTER TYPE on_day DROP ATTRIBUTE no CASCADE; ALTER TYPE on_day ADD ATTRIBUTE no int CASCADE")
    s.sync_until_caught_up(source.uri(), target, "--name", "labels")
    s.equal(source, target)
    if target.name == "postgres":  # types by other names while rows come
        follow(s, source, target, "labels", "UPDATE people SET note = 'a' WHERE id = 9; ALTER TYPE mood RENAME TO humour; UPDATE people SET now = 'happy' WHERE id = 10; "
               "ALTER DOMAIN good_mood RENAME TO good_humour; INSERT INTO keyed VALUES ('happy', 5); ALTER TYPE humour RENAME VALUE 'happy' TO 'glad'; "
               "UPDATE people SET week = '{glad}' WHERE id = 11; UPDATE whole SET mood = 'glad'")
        s.equal(source, target)
        assert target.query("SELECT count(*) FROM pg_enum WHERE enumlabel LIKE '%not a label%' OR enumlabel = 'ok'") == "0", target.query(LABELS)


cases = list(scenario.SINKS)
if os.environ.get("SCENARIO_FULL"):
    cases += ["duckdb-13", "postgres-13"]
scenario.run(main, cases=cases)
