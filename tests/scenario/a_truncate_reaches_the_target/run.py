#!/usr/bin/env python3
"""TRUNCATE of one table, of several, with CASCADE, with RESTART IDENTITY, between other changes of the same transaction; and of a
partition by itself, which the server does not send under its root's name: while the pipeline runs, and while it does not."""
import os
import sys
import time

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


PARTED = """
CREATE TABLE m (id int, at date, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE m1 PARTITION OF m FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE m2 PARTITION OF m FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE m9 PARTITION OF m FOR VALUES FROM ('2026-09-01') TO ('2026-10-01');
INSERT INTO m SELECT g, '2026-01-01'::date + g % 50, 'x' FROM generate_series(1, 200) g;
"""
ANEW = "public.m: it is copied anew"


def a_partition_alone(s, kind, how):
    source = s.server(binaries=scenario.embedded_postgres(how) if how.isdigit() else None)
    source.sql(PARTED)
    options = ["--name", "part"]
    if how == "leaves":  # a publication as it is made when nothing is said: there partitions are tables of their own
        source.sql("CREATE PUBLICATION leaves FOR TABLE m")
        options += ["--publication", "leaves"]
    target = s.target(kind)
    # DuckDB has the leaves as tables
    same = [("public", name) for name in ("m1", "m2", "m3")] if how == "leaves" and kind == "duckdb" else [("public", "m")]

    def step(sql, copied):
        source.sql(sql)
        run = s.sync_until_caught_up(source.uri(), target, *options)
        assert (ANEW in run.stderr) == (copied and how != "leaves"), run.stderr
        s.equal(source, target, tables=[t for t in same if source.sql(f"SELECT to_regclass('{t[1]}') IS NOT NULL") == "t"])

    step("SELECT 1", False)
    step("INSERT INTO m VALUES (999, '2026-01-05', 'before'); TRUNCATE m1; INSERT INTO m VALUES (1000, '2026-01-04', 'after')", True)
    step("UPDATE m SET v = 'y' WHERE id < 100", False)
    step("TRUNCATE m2", True)
    # of none of these has the server kept anything back
    step("TRUNCATE m; INSERT INTO m VALUES (1001, '2026-02-04', 'after all')", False)
    step("CREATE TABLE m3 PARTITION OF m FOR VALUES FROM ('2026-03-01') TO ('2026-04-01'); INSERT INTO m VALUES (1002, '2026-03-04', 'in the new one')", False)
    source.sql("VACUUM FULL m2; VACUUM FULL m9")
    if kind == "postgres":
        step("ALTER TABLE m ALTER v TYPE varchar(100), ALTER id TYPE bigint", False)
    run = s.sync(source.uri(), target, *options)
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
    time.sleep(1)  # it looks at the partitions as they are
    source.sql("INSERT INTO m VALUES (1003, '2026-03-05', 'soon gone'); TRUNCATE m3; INSERT INTO m VALUES (1004, '2026-03-06', 'after')")
    if how != "leaves":
        scenario.wait_for(lambda: ANEW in run.stderr or not run.running(), 60, "the partitioned table is copied anew")
    assert run.running() and run.stop() == 0, run.error_tail()
    step("SELECT 1", False)


def main(s):
    if s.case == "by_who_may_delete":
        return by_who_may_delete(s)
    if "-" in s.case:
        return a_partition_alone(s, *s.case.split("-"))
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


def by_who_may_delete(s):
    """The tables are another role's, and ours may only read and write their rows: all that it may not be given is asked for by nobody, and rows are deleted where they would be truncated."""
    source, server = s.server(), s.server()
    tables = "CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE k (a int, b text)"
    source.sql(tables + "; ALTER TABLE k REPLICA IDENTITY FULL; INSERT INTO t SELECT i, i FROM generate_series(1, 500) i; INSERT INTO k SELECT i, 'k' FROM generate_series(1, 500) i")
    server.sql("CREATE ROLE plain LOGIN; CREATE DATABASE target; REVOKE ALL ON DATABASE target FROM PUBLIC; GRANT CONNECT, TEMPORARY ON DATABASE target TO plain")
    server.sql(tables + "; INSERT INTO t VALUES (-1, 1); CREATE SCHEMA pgconvoy AUTHORIZATION plain; GRANT SELECT, INSERT, UPDATE, DELETE ON t, k TO plain", "target")
    ends = [source.uri(), server.uri("target", user="plain"), "--name", "plain", "--if-exists", "truncate"]
    checked = s.pgconvoy("check", *ends[:2], "--if-exists", "truncate")
    assert checked.wait() == 0, checked.stdout
    s.pgconvoy("sync", *ends, "--until", "caught-up").ok()
    source.sql("UPDATE t SET n = n + 1; DELETE FROM k WHERE a < 5; BEGIN; TRUNCATE k; INSERT INTO k VALUES (1, 'new'); COMMIT; INSERT INTO t VALUES (501, 1)")
    s.pgconvoy("sync", *ends, "--until", "caught-up").ok()
    for table in ("t", "k"):
        assert sorted(source.copy_out(f"SELECT * FROM {table}")) == sorted(server.copy_out(f"SELECT * FROM {table}", "target")), table


scenario.run(main, cases=list(scenario.SINKS) + ["postgres-root", "duckdb-root", "postgres-leaves", "by_who_may_delete"] + (["postgres-13", "postgres-18"] if os.environ.get("SCENARIO_FULL") else []))
