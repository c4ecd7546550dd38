#!/usr/bin/env python3
"""The extremes of every type, before the copy and in the stream, are the same in the target, compared value by value.

tests/lib/types.sql has the tables, types_rows.sql and types_as_text.sql
the rows. SCENARIO_SCALE=10 makes the longest text 200 MB, for which DuckDB is given more memory: it keeps a value in one block.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario
import values

LIB = os.path.join(scenario.TOP, "tests/lib")

# What a target cannot hold is left out here by name, with the reason; docs/sinks/ says the same to users.
LEFT_OUT = {
    "duckdb": {
        ("types", "zero"): "DuckDB has no tables without columns",
    },
    "stdout": {},
    "postgres": {},
    "clickhouse": {
        ("types", "zero"): "rows without columns are counted there, and have nothing to compare",
    },
}


def rows(base, beyond):
    text = f"\\set base {base}\n"
    for name in ["types_rows.sql", *(["types_as_text.sql"] if beyond else [])]:
        with open(os.path.join(LIB, name), encoding="utf-8") as file:
            text += file.read()
    return text


def main(s):
    kind, _, how = s.case.partition("-")
    # What DuckDB's own types cannot hold arrives as text, when that is asked for.
    beyond = s.case != "duckdb"
    source = s.server()
    with open(os.path.join(LIB, "types.sql"), encoding="utf-8") as file:
        types = file.read()
    source.sql(types)
    source.sql(rows(0, beyond))
    source.sql(f"""INSERT INTO types.texts (id, t) VALUES (-1, repeat('big ü ', {3000000 * scenario.SCALE}))""")
    target = s.target(kind)
    if kind == "clickhouse":
        target.uri += "&unmappable=text"
    elif how:
        target.uri += "?arrays=text&numeric=text"
    if kind == "postgres":
        # The types themselves are the schema's, which is not this command's part: they are there, the tables are not.
        target.query(types)
        drop = source.sql("SELECT string_agg(format('DROP TABLE %I.%I', nspname, relname), ';') FROM pg_class c "
                          "JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' AND nspname IN ('types', 'Other.Schema \"x\"')")
        target.query(drop)
    tables = [table for table in source.tables() if table not in LEFT_OUT[kind]]
    assert len(tables) > 10, tables
    options = ["--name", "types"]
    if kind == "duckdb" and scenario.SCALE > 1:
        options += ["--memory", "2GB"]
    for schema, table in LEFT_OUT[kind]:
        options += ["-T", f"{schema}.{table}"]
    problems = []

    def compare(when):
        for schema, table in tables:
            if kind == "stdout" and (schema, table) == ("types", "zero"):
                continue  # rows without columns cannot be told apart: they are counted
            try:
                s.equal(source, target, tables=[(schema, table)])
            except AssertionError as problem:
                problems.append(f"{when}: {problem}")

    s.sync_until_caught_up(source.uri(), target, *options)
    compare("copied")
    source.sql(rows(1000, beyond))
    # Some go through an update, whole and in part.
    source.sql("UPDATE types.texts SET v = v WHERE id > 1000; UPDATE types.arrays SET id = id + 10000 WHERE id > 1001;"
               "UPDATE types.own SET p = p WHERE id > 1000; DELETE FROM types.times WHERE id = 1000")
    s.sync_until_caught_up(source.uri(), target, *options)
    compare("streamed")
    assert not problems, "\n".join(problems)
    if kind == "clickhouse" or how:  # verify finds nothing either
        s.pgconvoy("verify", source.uri(), target.uri, *options).ok(300)
    count = int(source.sql("SELECT count(*) FROM types.zero"))
    assert count > 0
    if kind == "postgres":
        assert int(target.query("SELECT count(*) FROM types.zero")) == count
    if kind == "stdout":
        sent = [line for line in map(values.loads, target.lines()) if line.get("table") == "zero" and line["op"] in ("copy", "insert")]
        assert len(sent) == count and all(line["new"] == {} for line in sent), sent[:3]


scenario.run(main, cases=[*scenario.SINKS, "duckdb-as_text", *(["clickhouse"] if "CLICKHOUSE_ALL" in os.environ else [])])
