#!/usr/bin/env python3
"""A value that the target's type does not have is named with table, column and key, in a copy and in the stream, and nothing of its transaction arrives; unmappable=null makes it
NULL, which the log says, unmappable=text keeps it as text. No key becomes NULL."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import clickhouse
import scenario

ROWS = {"duckdb": 5000}  # more than one of its chunks
# What DuckDB has below a column: lists, and lists in a composite, whose own values do not fit.
NESTED = """
    CREATE TYPE pair AS (n numeric(6,2), texts text[]);
    ALTER TABLE t ADD COLUMN list int[], ADD COLUMN words text[], ADD COLUMN parts numeric(6,2)[], ADD COLUMN p pair, ADD COLUMN at timestamp, ADD COLUMN span interval;
    UPDATE t SET list = CASE WHEN a % 3 > 0 THEN ARRAY[a, NULL, 7] END, words = CASE WHEN a % 5 > 0 THEN ARRAY['a long text, longer than twelve bytes', NULL, b] ELSE '{}' END,
        parts = CASE WHEN a % 2 = 0 THEN ARRAY[a % 1000, 0.5, NULL] END, p = CASE WHEN a % 4 > 0 THEN ROW(a % 1000 + 0.25, ARRAY[b, NULL])::pair END, at = '2026-01-01', span = '1 day';
"""
BAD = ["UPDATE t SET n = 'NaN' WHERE a IN (7, 9)"]
BAD_NESTED = BAD + ["UPDATE t SET list = '{{1,2},{3,4}}' WHERE a IN (10, 3000)", "UPDATE t SET words = '[0:1]={x,y}' WHERE a = 11", "UPDATE t SET parts = '{1,NaN}' WHERE a IN (12, 14)",
                    "UPDATE t SET p = ROW('NaN', '{x,NULL}')::pair WHERE a = 13", "UPDATE t SET p = ROW(1, '{{x},{y}}')::pair WHERE a = 15", "UPDATE t SET at = '294276-01-01' WHERE a = 16"]
MEND = """UPDATE t SET n = NULL WHERE n = 'NaN'"""
MEND_NESTED = """UPDATE t SET n = CASE WHEN n <> 'NaN' THEN n END, list = CASE WHEN a NOT IN (10, 3000) THEN list END, words = CASE WHEN a <> 11 THEN words END,
    parts = CASE WHEN a NOT IN (12, 14) THEN parts END, p = CASE WHEN a NOT IN (13, 15) THEN p END, at = CASE WHEN a <> 16 THEN at END"""


def asked(target, how):
    """The target with this option."""
    if hasattr(target, "options"):
        target.options["unmappable"] = how
    else:
        base = target.uri.partition("?unmappable")[0].partition("&unmappable")[0]
        target.uri = base + ("&" if "?" in base else "?") + f"unmappable={how}"


def main(s):
    if s.case == "clickhouse" and not clickhouse.fetch("chdb"):
        return
    nested = s.case == "duckdb"
    source = s.server()
    source.sql("CREATE TABLE t (a int, b text, n numeric(6,2), v text, PRIMARY KEY (a, b)); INSERT INTO t SELECT i, 'k' || i, i % 1000 + 0.5, 'v' || i "
               f"FROM generate_series(1, {ROWS.get(s.case, 50)}) AS i")
    if nested:
        source.sql(NESTED)
    columns = [("a", "integer"), ("b", "text"), ("v", "text")]
    target = s.target(s.case)

    def run(*options, name="shop"):
        return s.sync(source.uri(), target, "--name", name, "--until", "caught-up", *options)

    def refused(*says, options=(), name="shop"):
        run(*options, name=name).fails(says=says, seconds=120)

    # in a copy
    source.sql("UPDATE t SET n = 'NaN' WHERE a = 40")
    refused("column n of table public.t", "a = 40, b = k40", "unmappable=null")
    source.sql("UPDATE t SET n = 2 WHERE a = 40")
    run().ok(120)
    s.equal(source, target)
    # in the stream
    before = sorted(target.rows("public", "t", columns))
    source.sql("BEGIN; UPDATE t SET v = 'with it' WHERE a = 1; UPDATE t SET n = 'NaN' WHERE a = 7; UPDATE t SET v = 'too' WHERE a = 2; COMMIT")
    refused("column n of table public.t", "a = 7, b = k7")
    assert sorted(target.rows("public", "t", columns)) == before
    # as NULL: where the stream stood, and in a copy
    for sql in BAD_NESTED if nested else BAD:
        source.sql(sql)
    asked(target, "null")
    warned = [run().ok(120).stderr]
    warned.append(run("--if-exists", "drop", name="again").ok(120).stderr)
    for name in ["n", *(["list", "words", "parts", "p", "at"] if nested else [])]:
        for log in warned:
            assert f"column {name} of table public.t, row with a = " in log and "becomes NULL" in log, f"nothing is said of {name}: {log}"
    assert "a = 7, b = k7" in warned[1] or "a = 9, b = k9" in warned[1], warned[1]
    kept = source.copy_out("SELECT * FROM t WHERE n = 'NaN'", "postgres")
    source.sql("CREATE TABLE as_it_was AS TABLE t;" + (MEND_NESTED if nested else MEND))
    s.equal(source, target, tables=[("public", "t")])
    # a key is never NULL
    source.sql("CREATE TABLE k (n numeric(6,2) PRIMARY KEY); INSERT INTO k VALUES (1), ('NaN')")
    refused("column n of table public.k", "n = NaN", options=["-t", "k"], name="keys")
    # as text
    source.sql("DROP TABLE k; DELETE FROM t; INSERT INTO t SELECT * FROM as_it_was; DROP TABLE as_it_was")
    assert len(kept) == 2 and source.copy_out("SELECT * FROM t WHERE n = 'NaN'", "postgres") == kept
    asked(target, "text")
    run("--if-exists", "drop", name="texts").ok(120)
    s.equal(source, target)
    source.sql("UPDATE t SET n = 'NaN' WHERE a = 8; DELETE FROM t WHERE a = 9; INSERT INTO t (a, b, n) VALUES (-1, '', 'NaN')")
    run(name="texts").ok(120)
    s.equal(source, target)


scenario.run(main, ["duckdb", "clickhouse", "bigquery", "snowflake"])
