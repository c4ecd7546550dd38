#!/usr/bin/env python3
"""Each example, as a user would build and run it, moves a small database."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import command
import scenario

ROWS = 1000


def example(s, name, *arguments):
    done = subprocess.run([os.path.join(command.BUILD, "examples", "example_" + name), *arguments], capture_output=True, text=True,
                          timeout=60, env={**os.environ, "XDG_STATE_HOME": os.path.join(s.folder, "state-home")})
    assert done.returncode == 0, f"{name} ended with {done.returncode}: {done.stderr}"
    return done


def main(s):
    source = s.server()
    source.sql(f"CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t SELECT i, 'name ' || i FROM generate_series(1, {ROWS}) AS i")
    if s.case == "stdout":
        lines = [json.loads(line) for line in example(s, "stdout", source.uri(), "caught-up").stdout.splitlines()]
        copied = {line["new"]["id"]: line["new"]["name"] for line in lines if line["op"] == "copy"}
        assert copied == {i: f"name {i}" for i in range(1, ROWS + 1)}, len(copied)
    elif s.case == "duckdb":
        target = s.target("duckdb")
        example(s, "duckdb", source.uri(), target.path)
        source.sql("UPDATE t SET name = 'changed' WHERE id % 10 = 0; DELETE FROM t WHERE id = 1")
        example(s, "duckdb", source.uri(), target.path)
        s.equal(source, target, tables=[("public", "t")])
    elif s.case == "postgres":
        source.sql("CREATE INDEX by_name ON t (name); ALTER TABLE t ADD CHECK (id > -5); CREATE ROLE reader; GRANT SELECT ON t TO reader")
        target = s.target("postgres")
        example(s, "postgres", source.uri(), target.uri)
        assert target.query("SELECT indexdef FROM pg_indexes WHERE tablename = 't' ORDER BY 1") == source.sql("SELECT indexdef FROM pg_indexes WHERE tablename = 't' ORDER BY 1"), "indexes did not come"
        assert target.query("SELECT count(*) FROM pg_constraint WHERE conrelid = 't'::regclass") == "2" and target.query("SELECT relacl IS NULL FROM pg_class WHERE relname = 't'") == "t"
        source.sql("UPDATE t SET name = 'changed' WHERE id % 10 = 0; DELETE FROM t WHERE id = 1")
        example(s, "postgres", source.uri(), target.uri)
        s.equal(source, target, tables=[("public", "t")])
    else:
        output = example(s, "custom_sink", source.uri()).stdout
        assert "public.t" in output and str(ROWS) in output, output
    source.sql("INSERT INTO t VALUES (0, 'still writable')")


scenario.run(main, cases=("stdout", "duckdb", "postgres", "custom_sink"))
