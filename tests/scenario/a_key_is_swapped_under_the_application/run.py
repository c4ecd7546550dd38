#!/usr/bin/env python3
"""A migration gives tables another key: it drops the primary key, or the index that tells changes, updates and deletes rows, and adds another. Published, such a table would refuse these updates to the
application. The event triggers give it REPLICA IDENTITY FULL for as long as it has no key, partitions too, and a new partition of a table without one; what the user has chosen stays.
The target is equal, and a pipeline that is dropped leaves every table as the user's own commands have it. So is a target that only rows tell (…-off, without event triggers) that a table
has another key: it gives up its own for that, live and after a while away."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = """
CREATE TABLE k (id int PRIMARY KEY, a int, b text NOT NULL); INSERT INTO k SELECT i, i, 'b' || i FROM generate_series(1, 300) AS i;
CREATE TABLE u (id int NOT NULL, n int); CREATE UNIQUE INDEX u_id ON u (id); ALTER TABLE u REPLICA IDENTITY USING INDEX u_id; INSERT INTO u SELECT i, i FROM generate_series(1, 30) AS i;
CREATE DOMAIN code AS int; CREATE TABLE m (c code PRIMARY KEY, n int); INSERT INTO m SELECT i, i FROM generate_series(1, 30) AS i;
CREATE TABLE p (id int, d int, PRIMARY KEY (id, d)) PARTITION BY LIST (d); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2); INSERT INTO p SELECT i, 1 + i % 2 FROM generate_series(1, 100) AS i;
CREATE TABLE f (id int, d int) PARTITION BY LIST (d); CREATE TABLE f1 PARTITION OF f FOR VALUES IN (1); ALTER TABLE f REPLICA IDENTITY FULL; ALTER TABLE f1 REPLICA IDENTITY FULL; INSERT INTO f VALUES (1, 1), (2, 1);
CREATE TABLE never (n int); CREATE TABLE own (id int PRIMARY KEY, n int); INSERT INTO own VALUES (1, 1), (2, 2)"""
STEPS = [
    "ALTER TABLE k DROP CONSTRAINT k_pkey", "UPDATE k SET a = a + 1 WHERE id < 10", "DELETE FROM k WHERE id = 300", "INSERT INTO k VALUES (2000, 1, 'x')", "ALTER TABLE k ADD PRIMARY KEY (b)",
    "UPDATE k SET a = a + 1 WHERE id < 20", "UPDATE k SET b = 'c' || b WHERE id < 5", "DELETE FROM k WHERE id = 2000",
    "BEGIN; ALTER TABLE k DROP CONSTRAINT k_pkey; UPDATE k SET a = -a WHERE id % 7 = 0; ALTER TABLE k ADD PRIMARY KEY (id, b); UPDATE k SET id = id + 1000 WHERE id % 11 = 0; COMMIT",
    "DROP INDEX u_id", "UPDATE u SET n = n + 1 WHERE id < 9", "DELETE FROM u WHERE id = 9", "ALTER TABLE u ADD PRIMARY KEY (id)", "UPDATE u SET n = n + 1",
    "DROP DOMAIN code CASCADE", "UPDATE m SET n = n + 1 WHERE n < 9", "DELETE FROM m WHERE n = 29",
    "ALTER TABLE p DROP CONSTRAINT p_pkey", "UPDATE p SET id = id + 1000 WHERE id < 10", "UPDATE p SET d = 3 - d WHERE id < 20", "DELETE FROM p WHERE id > 1005", "ALTER TABLE p ADD PRIMARY KEY (d, id)", "UPDATE p SET id = id + 1000 WHERE id < 20",
    "CREATE TABLE f2 PARTITION OF f FOR VALUES IN (2)", "INSERT INTO f VALUES (3, 2), (4, 2)", "UPDATE f SET id = id + 10 WHERE id IN (1, 3)", "DELETE FROM f WHERE id = 4",
    "ALTER TABLE own DROP CONSTRAINT own_pkey, REPLICA IDENTITY NOTHING", "INSERT INTO own VALUES (3, 3)", "ALTER TABLE never ADD x int", "INSERT INTO never VALUES (1, 1)",
]
# in one command each, as nothing keeps the identity
STEPS_OFF = [
    ["ALTER TABLE k DROP CONSTRAINT k_pkey, ADD PRIMARY KEY (b)", "INSERT INTO k VALUES (1, 7, 'new'), (2, 7, 'new2')", "UPDATE k SET id = 5 WHERE b = 'b9'", "ALTER TABLE own DROP CONSTRAINT own_pkey, REPLICA IDENTITY FULL",
     "INSERT INTO own VALUES (1, 1), (1, 1), (1, 2)", "UPDATE own SET n = 5 WHERE id = 2", "ALTER TABLE m DROP COLUMN c, ADD PRIMARY KEY (n)", "UPDATE m SET n = n + 100 WHERE n > 15", "INSERT INTO m VALUES (0)"],
    ["ALTER TABLE k ADD big bigint", "UPDATE k SET big = id * 1000 + a", "ALTER TABLE k DROP CONSTRAINT k_pkey, ADD PRIMARY KEY (id, a, b)", "DELETE FROM k WHERE b = 'b7'", "INSERT INTO k VALUES (5, 7, 'b9'), (3, 3, 'b3!')"],
]
PRIMARY = "SELECT string_agg(conrelid::regclass || ' ' || pg_get_constraintdef(oid), ', ' ORDER BY conrelid::regclass::text) FROM pg_constraint WHERE contype = 'p' AND conrelid IN ('k'::regclass, 'm'::regclass, 'own'::regclass)"
IDENTITIES = "SELECT string_agg(relname || ' ' || relreplident::text, ', ' ORDER BY relname) FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"


def told_by_rows(s, source, target):
    options = ["--name", "keys", "--ddl=off", "-t", "k", "-t", "own", "-t", "m"]
    moved = [("public", "k"), ("public", "own"), ("public", "m")]
    s.sync_until_caught_up(source.uri(), target, *options)
    for step in STEPS_OFF[0]:
        source.sql(step)
    s.sync_until_caught_up(source.uri(), target, *options)
    s.equal(source, target, tables=moved)
    run = s.sync(source.uri(), target, *options)
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
    for step in STEPS_OFF[1]:
        source.sql(step)
    assert run.running() and run.stop() == 0, run.error_tail()
    s.sync_until_caught_up(source.uri(), target, *options)
    s.equal(source, target, tables=moved)
    if s.case.startswith("postgres"):
        assert target.query(PRIMARY) == source.sql(PRIMARY) == "k PRIMARY KEY (id, a, b), m PRIMARY KEY (n)", (target.query(PRIMARY), source.sql(PRIMARY))


def main(s):
    kind, _, mode = s.case.partition("-")
    source, target = s.server(), s.target(kind)
    source.sql(TABLES)
    if mode == "off":
        return told_by_rows(s, source, target)
    if mode:
        s.sync_until_caught_up(source.uri(), target, "--name", "keys")
    for step in STEPS if mode else []:
        source.sql(step)
        if mode == "steps":
            s.sync_until_caught_up(source.uri(), target, "--name", "keys")
            s.equal(source, target)
    run = s.sync(source.uri(), target, "--name", "keys")
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
    for step in STEPS if not mode else []:
        source.sql(step)  # fails where the server refuses it
    assert source.sql(IDENTITIES) == "f f, f1 f, f2 f, k d, m f, never d, own n, p d, p1 d, p2 d, u d", source.sql(IDENTITIES)
    source.sql("CREATE TABLE last (id int PRIMARY KEY)")
    scenario.wait_for(lambda: not run.running() or "copied public.last" in run.stderr, 60, "it is at the end")
    assert run.running() and run.stop() == 0, run.error_tail()
    s.sync_until_caught_up(source.uri(), target, "--name", "keys")
    s.equal(source, target)
    s.pgconvoy("drop", source.uri(), target.uri, "--name", "keys").ok()
    assert source.sql(IDENTITIES) == "f f, f1 f, f2 d, k d, last d, m d, never d, own n, p d, p1 d, p2 d, u d", source.sql(IDENTITIES)
    s.nothing_left(source)


scenario.run(main, cases=[kind + mode for kind in ("postgres", "duckdb", "clickhouse", "bigquery", "snowflake") for mode in ("", "-away", "-steps", "-off")])
