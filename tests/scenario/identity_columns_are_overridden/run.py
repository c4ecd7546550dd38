#!/usr/bin/env python3
"""A column that is GENERATED ALWAYS AS IDENTITY beside the key: no UPDATE can set it on the target, but the source's rows get their values anew with DEFAULT, or by
being deleted and inserted. They arrive, and nothing else of their rows is lost. The table is applied in bulk like any other."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = """
CREATE TABLE items (id uuid PRIMARY KEY, seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE, note text, big text, doubled bigint GENERATED ALWAYS AS (length(note) * 2) STORED);
ALTER TABLE items ALTER big SET STORAGE EXTERNAL;
CREATE TABLE parts (id int PRIMARY KEY, item uuid REFERENCES items ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE bare (id int PRIMARY KEY, seq int GENERATED ALWAYS AS IDENTITY);
CREATE TABLE pairs (tenant int, id int GENERATED ALWAYS AS IDENTITY, big text, PRIMARY KEY (tenant, id));
ALTER TABLE pairs ALTER big SET STORAGE EXTERNAL;
CREATE TABLE whole (id int PRIMARY KEY, seq smallint GENERATED ALWAYS AS IDENTITY, note text);
ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE TABLE keyless (seq bigint GENERATED ALWAYS AS IDENTITY, note text, big text);
ALTER TABLE keyless REPLICA IDENTITY FULL, ALTER big SET STORAGE EXTERNAL;
CREATE TABLE parted (id int, day int, seq bigint GENERATED ALWAYS AS IDENTITY, note text, PRIMARY KEY (id, day)) PARTITION BY LIST (day);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);
"""
NAMES = ["items", "parts", "bare", "pairs", "whole", "keyless", "parted_1", "parted_2"]
# i: so many rows; what is done to few goes one by one, to many in bulk
FILL = """
INSERT INTO items (id, note, big) SELECT md5(i::text)::uuid, 'n' || i, repeat(md5(i::text), 300) FROM generate_series(1, {0}) AS i;
INSERT INTO parts SELECT i, md5(i::text)::uuid FROM generate_series(1, {0}) AS i;
INSERT INTO bare SELECT i FROM generate_series(1, {0}) AS i;
INSERT INTO pairs (tenant, big) SELECT i % 3, repeat(md5(i::text), 300) FROM generate_series(1, {0}) AS i;
INSERT INTO whole (id, note) SELECT i, 'w' FROM generate_series(1, {0}) AS i;
INSERT INTO keyless (note, big) SELECT 'k' || i, repeat('k', 3000) FROM generate_series(1, {0}) AS i;
INSERT INTO parted (id, day, note) SELECT i, 1 + i % 2, 'p' FROM generate_series(1, {0}) AS i;
"""
SET = """
UPDATE items SET note = note || '!';
UPDATE whole SET note = note || '!';
UPDATE keyless SET note = note || '!' WHERE seq % 3 = 0;
UPDATE parted SET note = note || '!';
UPDATE pairs SET tenant = tenant + 10 WHERE id % 2 = 0;
"""
ANEW = """
UPDATE items SET seq = DEFAULT, note = 'anew' WHERE seq % 2 = 0;
UPDATE items SET seq = DEFAULT, id = md5(id::text)::uuid WHERE seq % 5 = 0;
UPDATE bare SET seq = DEFAULT;
UPDATE pairs SET id = DEFAULT WHERE tenant = 1;
UPDATE whole SET seq = DEFAULT WHERE id % 2 = 0;
UPDATE keyless SET seq = DEFAULT WHERE seq % 2 = 0;
UPDATE parted SET seq = DEFAULT, day = 3 - day WHERE id % 3 = 0;
UPDATE parted SET seq = DEFAULT WHERE id % 3 = 1;
BEGIN; DELETE FROM whole WHERE id % 3 = 0; INSERT INTO whole (id, note) SELECT i, 'again' FROM generate_series(3, 30, 3) AS i; COMMIT;
BEGIN; DELETE FROM bare WHERE id % 3 = 0; INSERT INTO bare SELECT i FROM generate_series(3, 30, 3) AS i; COMMIT;
"""
# more than the source has
ON_TARGET = "ALTER TABLE items ADD own text DEFAULT 'default'"
KEEPS = "UPDATE items SET own = 'kept ' || seq"
HELD = "SELECT count(*) FROM items WHERE own LIKE 'kept%'"


def begin(s, *options):
    source, target = s.server(), s.target("postgres")
    source.sql(TABLES + FILL.format(5))
    s.sync_until_caught_up(source.uri(), target, *options)
    target.query(ON_TARGET + ";" + KEEPS)
    return source, target


def agree(s, source, target, names=None):
    s.equal(source, target, tables=[("public", name) for name in names or NAMES])


def one_by_one(s, *more):
    options = ["--name", "it", *more]
    source, target = begin(s, *options)
    for sql in (FILL.format(30).replace("generate_series(1,", "generate_series(6,"), SET, ANEW):
        source.sql(sql)
        s.sync_until_caught_up(source.uri(), target, *options)
        agree(s, source, target)
    # the parts are still there, and what only the target has
    assert target.query(HELD) == "5", target.query("SELECT seq, note, own FROM items")
    assert target.query("SELECT count(*) FROM parts WHERE item IS NOT NULL") == "30"
    run = s.sync(source.uri(), target, *options)
    for line in ANEW.strip().split("\n"):
        source.sql(line)
    end = source.current_lsn()
    scenario.wait_for(lambda: not run.running() or source.sql(f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots") == "t", 60, "it caught up")
    assert run.running(), run.error_tail()
    assert run.stop() == 0, run.error_tail()
    agree(s, source, target)
    assert "conflict" not in run.stderr, run.stderr


def several_connections(s):
    one_by_one(s, "--apply-jobs", "2")


def in_bulk(s):
    """Nothing of it has to be done with care as long as the values stay as they are."""
    source, target = begin(s, "--name", "it")
    source.sql(FILL.format(3000).replace("generate_series(1,", "generate_series(6,") + SET + SET)
    run = s.sync_until_caught_up(source.uri(), target, "--name", "it", "--log-level", "debug")
    agree(s, source, target)
    assert "one by one" not in run.stderr, re.findall(".*one by one.*", run.stderr)[:3]
    source.sql(ANEW)
    run = s.sync_until_caught_up(source.uri(), target, "--name", "it")
    agree(s, source, target)
    assert "conflict" not in run.stderr, run.stderr


def with_conflicts(s):
    """Of a row that is there already, or is not there, the source's stands with its value; or the target's."""
    for policy in ("source", "target", "merge-source", "last-write"):
        name = policy.replace("-", "_")
        source = s.server({"track_commit_timestamp": "on"})
        target = s.target("postgres", server=s.server({"track_commit_timestamp": "on"}), name=name)
        options = ["--name", name, "--on-conflict", policy, "--conflict-table", "pgconvoy.conflict"]
        source.sql("CREATE TABLE t (id int PRIMARY KEY, seq int GENERATED ALWAYS AS IDENTITY, note text); ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t (id, note) SELECT i, 'a' FROM generate_series(1, 9) AS i")
        s.sync_until_caught_up(source.uri(), target, *options)
        target.query("DELETE FROM t WHERE id = 2; UPDATE t SET note = 'of the target' WHERE id = 3; INSERT INTO t (id, note) VALUES (10, 'of the target')")
        source.sql("UPDATE t SET seq = DEFAULT WHERE id IN (1, 2, 3); INSERT INTO t (id, note) VALUES (10, 'of the source')")
        run = s.sync_until_caught_up(source.uri(), target, *options)
        rows = target.query("SELECT id, seq, note FROM t WHERE id IN (1, 2, 3, 10) ORDER BY id").split("\n")
        expected = {
            "source": ["1|10|a", "2|11|a", "3|12|a", "10|13|of the source"],
            "target": ["1|10|a", "3|3|of the target", "10|10|of the target"],
            "merge-source": ["1|10|a", "2|11|a", "3|12|of the target", "10|13|of the source"],
            "last-write": ["1|10|a", "3|12|a", "10|13|of the source"],
        }[policy]
        assert rows == expected, f"{policy}: {rows}, not {expected}\n{run.stderr}"
        kinds = target.query("SELECT string_agg(kind, ' ' ORDER BY kind) FROM pgconvoy.conflict")
        assert kinds == "insert_exists update_differs update_missing", f"{policy}: {kinds}"


def without_silence(s):
    """Where foreign keys cannot be silenced, a row is not deleted, which would reach further; all other changes arrive."""
    source = s.server()
    names = ["items", "parts", "bare"]
    source.sql(TABLES + FILL.format(5) + "CREATE ROLE plain LOGIN")
    target = s.target("postgres")
    target.query("GRANT CREATE ON DATABASE target TO plain; GRANT ALL ON SCHEMA public TO plain")
    target.uri = target.server.uri("target", user="plain")
    options = ["--name", "plain", *(word for name in names for word in ("--table", name))]
    s.sync_until_caught_up(source.uri(), target, *options)
    source.sql("UPDATE items SET note = note || '!'; INSERT INTO items (id, note) VALUES (md5('more')::uuid, 'more'); DELETE FROM parts WHERE id = 1")
    s.sync_until_caught_up(source.uri(), target, *options)
    agree(s, source, target, names)
    source.sql("UPDATE items SET seq = DEFAULT WHERE seq = 3")
    run = s.sync(source.uri(), target, *options, "--until", "caught-up").fails(1, ["an update of public.items", "GENERATED ALWAYS AS IDENTITY", "SET GENERATED BY DEFAULT"])
    assert target.query("SELECT count(*) FROM parts") == "4" and target.query("SELECT count(*) FROM items WHERE seq = 3") == "1", run.stderr
    target.query("ALTER TABLE items ALTER seq SET GENERATED BY DEFAULT")
    s.sync_until_caught_up(source.uri(), target, *options)
    agree(s, source, target, names)


CASES = {"postgres": one_by_one, "jobs": several_connections, "bulk": in_bulk, "conflicts": with_conflicts, "plain": without_silence}
scenario.run(lambda s: CASES[s.case](s), cases=[*CASES])
