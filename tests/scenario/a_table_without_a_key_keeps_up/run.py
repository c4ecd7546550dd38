#!/usr/bin/env python3
"""Rows of tables without a key (REPLICA IDENTITY FULL) are updated and deleted by the thousand, alike or not, with NULL in them, with or without an index: the
target's table is read once for them, or its index, and not once for each."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TYPES = """
CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE DOMAIN price AS numeric(10,2) CHECK (value >= 0); CREATE TYPE pair AS (x int, y text);
CREATE TYPE word; CREATE FUNCTION word_in(cstring) RETURNS word LANGUAGE internal IMMUTABLE STRICT AS 'int4in'; CREATE FUNCTION word_out(word) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE word (INPUT = word_in, OUTPUT = word_out, INTERNALLENGTH = 4, PASSEDBYVALUE, ALIGNMENT = int4);
"""
# columns; how a row is made of number i; what an update sets
TABLES = {
    "plain": ("a int, b text, n numeric, f float8, at timestamptz", "i, 'b' || i, i * 1.50, i / 3.0, '2026-01-01'::timestamptz + i * interval '1 s'", "n = n + 1"),
    "alike": ("a int, b text", "nullif(i % 7, 0), nullif('b' || i % 3, 'b0')", "a = a + 1"),
    "wide": ("a int, big text, more bytea", "i % 50, repeat(chr(65 + i % 20), 3000), decode(repeat(md5((i % 5)::text), 100), 'hex')", "a = a + 1"),
    "types": ("a smallint, j json, p point, l int[], r int4range, m mood, d price, c pair, t varchar(20), k char(8), u uuid, z timetz, bits bit(3), x xml",
              "i % 100, '{\"a\": 1}', point(i % 5, 1), ARRAY[i % 3, NULL], int4range(i % 4, 9), CASE WHEN i % 2 = 0 THEN 'good'::mood END, i % 5, ROW(i % 2, 'y')::pair, 'v' || i % 9, 'k' || i % 4,"
              " md5((i % 6)::text)::uuid, '10:00+02', '101', '<a/>'", "m = 'bad', l = l || 1"),
    "unsent": ("a int, b text, w word, right_to aclitem", "i % 30, 'b' || i % 20, NULL, NULL", "b = b || '!'"),  # of types that have no binary form at all, as PostGIS's raster
    "documents": ("j jsonb", "jsonb_build_object('i', i % 40)", "j = j || '{\"n\": 1}'"),
    "parts": ("day int, b text", "i % 3, 'b' || i % 60", "b = b || '!', day = (day + 1) % 3"),
    "indexed": ("a int, b text, c text", "nullif(i % 90, 0), 'b' || i % 40, 'c' || i", "b = b || '!'"),
    "computed": ("a int, twice int GENERATED ALWAYS AS (a * 2) STORED, seq int GENERATED ALWAYS AS IDENTITY", None, "a = a + 1"),
    "numbers": ("n numeric, f float4", "(ARRAY['1.0', '1.00', 'NaN', '-7', '0'])[1 + i % 5]::numeric, (ARRAY['NaN', '-0', '0', 'Infinity', '1'])[1 + i % 5]::float4", "n = n + 1"),
    "\"Other Name\"": ("a int, b text", "i % 80, 'b' || i", "b = b || '?'"),  # at the target: of other types
    "own": ("a int, b text", "i % 80, 'b' || i", "b = b || '?'"),  # at the target: with a column of its own
}
AT_TARGET = {
    "\"Other Name\"": 'CREATE TABLE "Other Name" (b text, a bigint)',
    "own": "CREATE TABLE own (a int, b text, note text DEFAULT 'kept')",
}


def insert(name, first, last):
    values = TABLES[name][1]
    if values is None:
        return f"INSERT INTO {name} (a) SELECT i % 50 FROM generate_series({first}, {last}) AS i"
    return f"INSERT INTO {name} SELECT {values} FROM generate_series({first}, {last}) AS i"


def make(source, target, names):
    sql = TYPES
    for name in names:
        columns = TABLES[name][0]
        sql += f"CREATE TABLE {name} ({columns}){' PARTITION BY LIST (day)' if name == 'parts' else ''}; ALTER TABLE {name} REPLICA IDENTITY FULL;\n"
    for day in range(3):
        sql += f"CREATE TABLE parts_{day} PARTITION OF parts FOR VALUES IN ({day}); ALTER TABLE parts_{day} REPLICA IDENTITY FULL;\n"
    sql += "ALTER TABLE wide ALTER big SET STORAGE EXTERNAL, ALTER more SET STORAGE EXTERNAL;"
    sql += "CREATE INDEX ON indexed (a, b); CREATE INDEX ON indexed USING hash (c); CREATE INDEX ON indexed (lower(b), a); CREATE INDEX ON indexed (c) WHERE a > 5;"
    source.sql(sql)
    for name in names:
        source.sql(insert(name, 1, 2000))
    for sql in AT_TARGET.values():
        target.query(sql)


def some_changes(s, name):
    """A transaction for one table: rows by their places, some of them of many that are alike."""
    sql = "BEGIN;"
    for _ in range(s.random.randint(1, 5)):
        rows = s.random.choice((1, 3, 8, 60, 400))
        some = f"WHERE (tableoid, ctid) IN (SELECT tableoid, ctid FROM {name} ORDER BY hashtext(ctid::text || {s.random.randrange(1000)}) LIMIT {rows})"
        kind = s.random.random()
        if kind < 0.3:
            first = s.random.randrange(5000)
            sql += insert(name, first, first + rows) + ";"
        elif kind < 0.75:
            sql += f"UPDATE {name} SET {TABLES[name][2]} {some};"
        elif kind < 0.95:
            sql += f"DELETE FROM {name} {some};"
        else:
            sql += f"SAVEPOINT a; DELETE FROM {name} {some}; ROLLBACK TO a;"
    return sql + s.random.choice(("COMMIT", "COMMIT", "COMMIT", "ROLLBACK")) + ";"


def by_chance(s):
    source, target = s.server(), s.target("postgres", server=s.server())
    # with "types" the stream has text values, without it binary ones
    tables = [name for name in TABLES if s.case == "leaves" or name not in ("types", "unsent")]
    make(source, target, tables)
    options = ["--name", "bare", "--if-exists", "append", *{"root": ["--partitions", "root"], "jobs": ["--apply-jobs", "3"]}.get(s.case, [])]
    names = [("public", name.strip('"')) for name in tables if name != "own"]
    s.sync_until_caught_up(source.uri(), target, *options)
    for _ in range(4):
        for _ in range(30):
            source.sql(some_changes(s, s.random.choice(tables)))
        run = s.sync_until_caught_up(source.uri(), target, *options)
        assert "one by one" not in run.stderr and "conflict" not in run.stderr, run.error_tail()
        assert "public.indexed has no key" not in run.stderr and run.stderr.count("public.plain has no key") <= 1, run.error_tail()
        agree(s, source, target, names)
    run = s.sync(source.uri(), target, *options)
    for _ in range(60):
        source.sql(some_changes(s, s.random.choice(tables)))
    end = source.current_lsn()
    scenario.wait_for(lambda: not run.running() or source.sql(f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots") == "t", 60, "it caught up")
    assert run.stop() == 0, run.error_tail()
    agree(s, source, target, names)


def agree(s, source, target, names):
    s.equal(source, target, tables=names)
    both = "SELECT a, b, count(*) FROM own GROUP BY 1, 2 ORDER BY 1, 2"
    assert source.sql(both) == target.query(both), "own differs"
    assert target.query("SELECT count(*) FROM own WHERE note IS DISTINCT FROM 'kept'") == "0"


def it_is_read_once(s):
    """By the server's own count."""
    source, target = s.server(), s.target("postgres", server=s.server())
    source.sql("CREATE TABLE bare (a int, b text); ALTER TABLE bare REPLICA IDENTITY FULL; INSERT INTO bare SELECT i, 'b' FROM generate_series(1, 5000) AS i;"
               "CREATE TABLE listed (a int, b text); ALTER TABLE listed REPLICA IDENTITY FULL; INSERT INTO listed SELECT nullif(i, 9), 'b' FROM generate_series(1, 5000) AS i; CREATE INDEX ON listed (a);"
               "CREATE TABLE kinds (kind int, b text); ALTER TABLE kinds REPLICA IDENTITY FULL; INSERT INTO kinds SELECT i % 3, 'b' || i FROM generate_series(1, 5000) AS i; CREATE INDEX ON kinds (kind)")
    s.sync_until_caught_up(source.uri(), target, "--name", "bare")
    target.query("ANALYZE")

    def scans():
        return [int(n) for n in target.query("SELECT pg_stat_clear_snapshot(); SELECT seq_scan FROM pg_stat_user_tables WHERE relname IN ('bare', 'listed') ORDER BY relname").split("\n")[-2:]]
    before = scans()
    source.sql("UPDATE bare SET b = 'c' WHERE a % 2 = 0; DELETE FROM bare WHERE a % 5 = 0; DELETE FROM listed WHERE a IS NULL")
    for i in range(60):
        source.sql(f"UPDATE listed SET b = 'c' WHERE a = {1 + i * 50}")
    source.sql("UPDATE kinds SET b = 'c' WHERE b IN ('b1', 'b2')")
    run = s.sync_until_caught_up(source.uri(), target, "--name", "bare")
    assert "public.kinds has no key" in run.stderr and "public.listed has no key" not in run.stderr, run.error_tail()  # nor an index that tells its rows apart
    scenario.wait_for(lambda: scans()[0] > before[0], 20, "the server has counted")
    after = scans()
    assert after[0] - before[0] <= 5 and after[1] - before[1] <= 5, f"{before}, then {after}"
    s.equal(source, target)


def rows_are_missing(s):
    """What the target has not is a conflict each, and the others arrive; without --on-conflict error it goes on."""
    source, target = s.server(), s.target("postgres", server=s.server())
    source.sql("CREATE TABLE bare (a int, b text); ALTER TABLE bare REPLICA IDENTITY FULL; INSERT INTO bare SELECT i / 2, 'b' FROM generate_series(1, 1000) AS i")
    s.sync_until_caught_up(source.uri(), target, "--name", "bare")
    target.query("DELETE FROM bare WHERE ctid IN (SELECT min(ctid) FROM bare WHERE a IN (10, 20) GROUP BY a)")  # one of two that are alike
    source.sql("UPDATE bare SET b = 'c' WHERE a % 10 = 0; DELETE FROM bare WHERE a % 10 = 1")
    run = s.sync_until_caught_up(source.uri(), target, "--name", "bare")
    assert "2 changes of public.bare met conflicts" in run.stderr and "update_missing" in run.stderr, run.error_tail()
    assert target.query("SELECT count(*) FROM bare WHERE b = 'c'") == str(int(source.sql("SELECT count(*) FROM bare WHERE b = 'c'")) - 2), run.error_tail()
    assert target.query("SELECT count(*) FROM bare WHERE b = 'b'") == source.sql("SELECT count(*) FROM bare WHERE b = 'b'")


CASES = {"leaves": by_chance, "root": by_chance, "jobs": by_chance, "once": it_is_read_once, "missing": rows_are_missing}
scenario.run(lambda s: CASES[s.case](s), cases=[*CASES])
