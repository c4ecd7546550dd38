#!/usr/bin/env python3
"""The target is not what the source was: rows are missing, there already, or others. What stands then is what --on-conflict says, by default the
source's row; each conflict is counted by kind and table, and kept with both rows where --conflict-table asks for it."""
import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = """
CREATE TABLE items (id int PRIMARY KEY, n int, note text);
CREATE TABLE whole (id int PRIMARY KEY, n int, note text);
ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE TABLE wide (id int PRIMARY KEY, n int, big text);
ALTER TABLE wide ALTER big SET STORAGE EXTERNAL;
CREATE TABLE parted (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (1000000);
INSERT INTO items SELECT i, i, 'note' FROM generate_series(1, 20) AS i;
INSERT INTO whole SELECT i, i, 'note' FROM generate_series(1, 20) AS i;
INSERT INTO wide SELECT i, i, repeat('wide ' || i, 2000) FROM generate_series(1, 20) AS i;
INSERT INTO parted SELECT i, i FROM generate_series(1, 20) AS i;
"""
# behind the pipeline's back
ON_TARGET = """
INSERT INTO items VALUES (100, -1, 'of the target'), (1100, -1, 'of the target');
DELETE FROM items WHERE id IN (1, 2);
UPDATE whole SET n = -1 WHERE id IN (3, 4);
DELETE FROM wide WHERE id = 5;
INSERT INTO parted VALUES (100, -1);
"""
# few changes go one by one; many in bulk, which finds out and is undone
FEW = """
INSERT INTO items VALUES (100, 1, 'of the source');
UPDATE items SET n = 50 WHERE id = 1;
DELETE FROM items WHERE id = 2;
UPDATE whole SET note = 'new' WHERE id = 3;
DELETE FROM whole WHERE id = 4;
UPDATE wide SET n = 50 WHERE id = 5;
INSERT INTO parted VALUES (100, 1);
"""
MANY = "BEGIN; INSERT INTO items SELECT i, i, 'many' FROM generate_series(1001, 1300) AS i; UPDATE items SET n = n + 1 WHERE id > 1000; COMMIT;"
COUNTS = "SELECT table_name, kind, count FROM pgconvoy.conflict_count WHERE pipeline = 'it' ORDER BY 1, 2"


def prepare(s):
    source = s.server()
    source.sql(TABLES)
    target = s.target("postgres")
    s.sync_until_caught_up(source.uri(), target, "--name", "it")
    target.query(ON_TARGET)
    return source, target


def the_source_wins(s):
    source, target = prepare(s)
    source.sql(FEW)
    run = s.sync_until_caught_up(source.uri(), target, "--name", "it")
    assert "conflict (insert_exists): an insert into public.items met a row that is there: {\"id\": 100}" in run.stderr, run.stderr
    assert target.query("SELECT id, n, note FROM items WHERE id IN (1, 2, 100) ORDER BY 1") == "1|50|note\n100|1|of the source"
    assert target.query("SELECT id, n, note FROM whole WHERE id IN (3, 4) ORDER BY 1") == "3|3|new"
    # not made of half of its values
    assert target.query("SELECT count(*) FROM wide WHERE id = 5") == "0"
    source.sql(MANY)
    run = s.sync_until_caught_up(source.uri(), target, "--name", "it")
    s.equal(source, target, tables=[("public", "items"), ("public", "whole"), ("public", "parted")])
    counts = target.query(COUNTS)
    # 1100 was inserted and then updated, one by one: a conflict only the first time
    assert counts == "items|delete_missing|1\nitems|insert_exists|2\nitems|update_missing|1\nparted|insert_exists|1\nwide|update_missing|1", counts
    status = json.loads(s.pgconvoy("status", "it", "--json").ok().stdout)
    assert {"schema": "public", "table": "items", "kind": "insert_exists", "count": 2} in status["conflicts"], status
    assert "public.items: 2 insert_exists" in s.pgconvoy("status", "it").ok().stdout
    s.pgconvoy("drop", source.uri(), target.uri, "--name", "it").ok()
    assert target.query("SELECT to_regclass('pgconvoy.conflict_count') IS NULL") == "t"


def the_target_wins(s):
    source, target = prepare(s)
    source.sql(FEW + MANY)
    options = ["--name", "it", "--on-conflict", "target", "--conflict-table", "pgconvoy.\"odd\" ones"]
    s.sync_until_caught_up(source.uri(), target, *options)
    assert target.query("SELECT id, n, note FROM items WHERE id IN (1, 2, 100) ORDER BY 1") == "100|-1|of the target"
    assert target.query("SELECT id, n, note FROM whole WHERE id IN (3, 4) ORDER BY 1") == "3|-1|note\n4|-1|note"
    assert target.query("SELECT n FROM parted WHERE id = 100") == "-1"
    assert target.query("SELECT count(*), sum(n) FROM items WHERE id BETWEEN 1001 AND 1300 AND id <> 1100") == \
        source.sql("SELECT count(*), sum(n) FROM items WHERE id BETWEEN 1001 AND 1300 AND id <> 1100")
    counts = target.query(COUNTS)
    assert counts == ("items|delete_missing|1\nitems|insert_exists|2\nitems|update_missing|1\nparted|insert_exists|1\n"
                      "whole|delete_differs|1\nwhole|update_differs|1\nwide|update_missing|1"), counts
    kept = target.query("SELECT table_name, kind, resolution, target_row->>'n', source_row->>'n' FROM pgconvoy.\"\"\"odd\"\" ones\"")
    assert sorted(kept.split("\n")) == sorted([
        "items|insert_exists|target|-1|1", "items|update_missing|target||50", "items|delete_missing|target||",
        "whole|update_differs|target|-1|3", "whole|delete_differs|target|-1|", "wide|update_missing|target||50",
        "parted|insert_exists|target|-1|1", "items|insert_exists|target|-1|1100"]), kept


def an_error_ends_it(s):
    source, target = prepare(s)
    options = ["--name", "it", "--on-conflict", "error"]
    ends = [("INSERT INTO items VALUES (100, 1, 'of the source')", "insert_exists", "DELETE FROM items WHERE id = 100"),
            ("UPDATE items SET n = 50 WHERE id = 1", "update_missing", "INSERT INTO items VALUES (1, 1, 'note')"),
            ("DELETE FROM items WHERE id = 2", "delete_missing", "INSERT INTO items VALUES (2, 2, 'note')"),
            ("UPDATE whole SET note = 'new' WHERE id = 3", "update_differs", "UPDATE whole SET n = 3 WHERE id = 3"),
            (MANY, "insert_exists", "DELETE FROM items WHERE id = 1100")]
    for change, kind, mend in ends:
        source.sql(change)
        run = s.sync(source.uri(), target, "--until", "caught-up", *options)
        run.fails(1, ["conflict (" + kind, "another --on-conflict, source or target"])
        target.query(mend)
        s.sync_until_caught_up(source.uri(), target, *options)
    s.equal(source, target, tables=[("public", "items")])
    s.pgconvoy("sync", source.uri(), "-", "--on-conflict", "target").fails(2, "--on-conflict")


def a_small_one_is_undone_whole(s):
    """A small transaction goes with its commit in one piece; one that does not meet its rows is undone, all of it, and comes once."""
    source = s.server()
    source.sql(TABLES + "CREATE TABLE log (at text); CREATE TABLE children (id int PRIMARY KEY, item int)")
    target = s.target("postgres")
    s.sync_until_caught_up(source.uri(), target, "--name", "it")
    target.query("DELETE FROM items WHERE id IN (1, 2); INSERT INTO children VALUES (7, -1); DELETE FROM parted WHERE id = 3")
    for change, why in {"UPDATE items SET n = 50 WHERE id = 1": "an update of public.items met 0 rows", "DELETE FROM items WHERE id = 2": "a delete from public.items met 0 rows",
                        "INSERT INTO children VALUES (7, 1)": "applying an insert into public.children: duplicate key", "UPDATE parted SET n = 50 WHERE id = 3": "an update of public.parted met 0 rows",
                        "UPDATE parted SET n = 51 WHERE id = 4": None}.items():
        run = s.sync(source.uri(), target, "--name", "it", "--log-level", "debug")
        scenario.wait_for(lambda: "streaming changes from" in run.stderr, 60, "it streams")
        source.sql(f"BEGIN; INSERT INTO log VALUES ('before'); {change}; INSERT INTO log VALUES ('behind {change}'); COMMIT")
        scenario.wait_for(lambda: target.query(f"SELECT count(*) FROM log WHERE at = 'behind {change}'") == "1", 60, "it has come")
        assert run.stop() == 0, run.error_tail()
        assert f"applied with care: {why}" in run.stderr if why else "with care" not in run.stderr, run.stderr
    s.equal(source, target, tables=[("public", "log"), ("public", "children")])
    counts = target.query(COUNTS)
    assert counts == "children|insert_exists|1\nitems|delete_missing|1\nitems|update_missing|1\nparted|update_missing|1", counts
    assert target.query("SELECT n FROM parted WHERE id = 4") == "51"


def a_moved_position_stands(s):
    """Another process has applied what comes, and has said so on the target: it is not applied a second time."""
    source = s.server()
    source.sql("CREATE TABLE log (at text)")
    target = s.target("postgres")
    run = s.sync(source.uri(), target, "--name", "it")
    scenario.wait_for(lambda: "streaming changes from" in run.stderr, 60, "it streams")
    source.sql("INSERT INTO log VALUES ('ours')")
    scenario.wait_for(lambda: target.query("SELECT at FROM log") == "ours", 60, "it has come")
    run.send(signal.SIGSTOP)
    source.sql("INSERT INTO log VALUES ('theirs')")
    target.query(f"UPDATE pgconvoy.pipeline SET lsn = '{source.current_lsn()}' WHERE name = 'it'")
    run.send(signal.SIGCONT)
    scenario.wait_for(lambda: "was moved from" in run.stderr, 60, "it has seen that the position was moved")
    source.sql("INSERT INTO log VALUES ('ours again')")
    scenario.wait_for(lambda: target.query("SELECT string_agg(at, ', ') FROM log") == "ours, ours again", 60, "it goes on from there")
    run.stop()


CASES = {"source": the_source_wins, "target": the_target_wins, "error": an_error_ends_it, "small": a_small_one_is_undone_whole,
         "moved": a_moved_position_stands}
scenario.run(lambda s: CASES[s.case](s), cases=list(CASES))
