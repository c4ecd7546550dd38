#!/usr/bin/env python3
"""Where the source's role may make no event triggers (most managed services), a changed definition is seen by what rows tell after it: names that
changed places, a name that another column took, defaults that the rows from before have, other types, while the pipeline runs and while it is
away. In the end definitions and rows are equal, and nothing has stopped it."""
import os
import random
import sys
import time

for folder in ("../../lib", "../../load"):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), folder))
import scenario
from column_workload import ColumnWorkload

NAMES = ("swapped", "circled", "taken", "anew", "drawn", "numbered", "written", "wider", "passing", "retyped", "counted", "parted")
TABLES = "; ".join(f"CREATE TABLE {name} (id bigint PRIMARY KEY, a int, b text, c numeric(12,3), v varchar(8))" for name in NAMES[:-1]) + """;
    CREATE TABLE parted (id bigint PRIMARY KEY, a int, b text, c numeric(12,3), v varchar(8)) PARTITION BY RANGE (id);
    CREATE TABLE parted1 PARTITION OF parted FOR VALUES FROM (MINVALUE) TO (10); CREATE TABLE parted2 PARTITION OF parted DEFAULT;
    CREATE TABLE plain (id int PRIMARY KEY, a int); CREATE FUNCTION aside() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 7'"""
# by table: commands, each before a row of the table
CHANGES = {
    "swapped": ["RENAME a TO x; ALTER TABLE swapped RENAME c TO a; ALTER TABLE swapped RENAME x TO c"],
    "circled": ["RENAME b TO x; ALTER TABLE circled RENAME v TO b; ALTER TABLE circled RENAME x TO v", "RENAME a TO x; ALTER TABLE circled RENAME v TO a; ALTER TABLE circled RENAME x TO v"],
    "taken": ["DROP c; ALTER TABLE taken RENAME a TO c", "DROP b; ALTER TABLE taken RENAME v TO b"],
    "anew": ["DROP b, ADD b text DEFAULT 'of now'", "ADD w int DEFAULT 5; ALTER TABLE anew ALTER w DROP DEFAULT"],
    "drawn": ["ADD u uuid NOT NULL DEFAULT gen_random_uuid()"],
    "numbered": ["ADD n int GENERATED ALWAYS AS IDENTITY"],
    "counted": ["ADD s serial", "ADD f float8 DEFAULT aside()"],  # the function is not at the target
    "written": ["ADD d int DEFAULT 7; ALTER TABLE written ALTER a TYPE bigint"],
    "wider": ["ALTER v TYPE text; UPDATE wider SET v = repeat('long ', id::int)", "ALTER a TYPE numeric", "ALTER b TYPE int USING length(b)"],
    "passing": ["ADD p date DEFAULT '2026-11-23'", "RENAME b TO p2", "DROP p, ADD q text DEFAULT 'q'"],
    "retyped": ["DROP b, ADD b bytea DEFAULT '\\x01'", "DROP b, ADD b timestamptz DEFAULT '2026-11-23'", "DROP b"],
    "parted": ["ADD d text DEFAULT 'of all partitions'", "RENAME a TO x; ALTER TABLE parted RENAME c TO a; ALTER TABLE parted RENAME x TO c"],
}
COLUMNS = """SELECT relname, attname, format_type(atttypid, atttypmod), attidentity, pg_get_expr(adbin, adrelid) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum AND attname <> 'f' WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped ORDER BY 1, 2"""


def make(s):
    source = s.server()
    source.sql(TABLES)
    for name in NAMES:
        source.sql(f"INSERT INTO {name} SELECT g, g, 'row ' || g, g / 8.0, 'v' || g FROM generate_series(1, 20) g")
    source.sql("CREATE ROLE mover LOGIN REPLICATION; GRANT pg_read_all_data TO mover; GRANT CREATE ON DATABASE postgres TO mover;"
               "CREATE PUBLICATION by_owner FOR ALL TABLES WITH (publish_via_partition_root)")
    return source


def change(source, place):
    """One change of each table, and a row that tells of it."""
    for name, commands in CHANGES.items():
        if place < len(commands):
            source.sql(f"ALTER TABLE {name} {commands[place]}; INSERT INTO {name} (id) VALUES ({100 + place})")


def durable(source, run):
    end = source.current_lsn()
    scenario.wait_for(lambda: not run.running() or source.sql(f"SELECT bool_and(confirmed_flush_lsn >= '{end}') FROM pg_replication_slots") == "t", 60,
                      "all is durable")
    assert run.running(), run.error_tail()


def rows_of_others_stay(s):
    """A table that somebody else has put rows into is not copied anew: what only the source knows is NULL there."""
    source, target = make(s), s.target("postgres")
    target.server.sql("CREATE TABLE plain (id int PRIMARY KEY, a int); INSERT INTO plain VALUES (1000, 1)", target.database)
    source.sql("INSERT INTO plain VALUES (1, 1)")
    options = ("--name", "alone", "--publication", "by_owner", "--if-exists", "append", "-t", "plain")
    run = s.sync(source.uri(user="mover"), target, *options)
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
    source.sql("ALTER TABLE plain ADD u uuid DEFAULT gen_random_uuid(); INSERT INTO plain (id) VALUES (2)")
    durable(source, run)
    assert run.stop() == 0, run.error_tail()
    assert "anew" not in s.sync_until_caught_up(source.uri(user="mover"), target, *options).ok().stderr + run.stderr
    assert target.query("SELECT id, u IS NULL FROM plain ORDER BY id") == "1|t\n2|f\n1000|t", target.query("TABLE plain")


def by_chance(s):
    """Rounds of tests/load/column_workload.py with stops and kills; DDL_SECONDS gives it more time than two rounds, and the seed says which; the short form has always the same."""
    away, kind = s.case.endswith("-away"), "duckdb" if "duckdb" in s.case else "postgres"
    rng = s.random if "DDL_SECONDS" in os.environ or "SCENARIO_SEED" in os.environ else random.Random(1)
    source, target = s.server(), s.target(kind)
    source.create_database("chance")
    workload = ColumnWorkload(source, "chance", rng, away, names=kind == "postgres")
    workload.prepare()
    source.sql("CREATE ROLE mover LOGIN REPLICATION; GRANT CREATE ON DATABASE chance TO mover; GRANT pg_read_all_data TO mover;"
               "CREATE PUBLICATION by_owner FOR ALL TABLES WITH (publish_via_partition_root)", "chance")

    def begin():
        run = s.sync(source.uri("chance", user="mover"), target, "--name", "alone", "--publication", "by_owner")
        scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
        return run

    def agrees(run):
        """What is copied anew for a change may come a little later than the change."""
        durable(source, run)
        if kind != "postgres":
            time.sleep(2)  # no second process can look into the file
            durable(source, run)
            assert run.stop() == 0, run.error_tail()
            s.equal(source, target, database="chance")
            return begin()
        scenario.wait_for(lambda: not run.running() or not set(source.sql(COLUMNS, "chance").split("\n")) - set(target.query(COLUMNS).split("\n")), 30, "the columns agree")
        assert run.running(), run.error_tail()
        tries = 30
        while tries > 0 and not is_equal(s, source, target):
            tries -= 1
            time.sleep(1)
        s.equal(source, target, database="chance")
        return run

    run = begin()
    end, rounds = time.monotonic() + float(os.environ.get("DDL_SECONDS", "0")), 0
    while rounds < 2 or time.monotonic() < end:
        rounds += 1
        if away and rng.random() < 0.5:
            run.kill()
        elif away:
            assert run.stop() == 0, run.error_tail()
        for _ in range(rng.randint(1, 5)):
            workload.step()
        workload.touch()
        if not away and rng.random() < 0.3:
            run.kill()
        run = agrees(run if run.running() else begin())
    assert run.stop() == 0, run.error_tail()


def is_equal(s, source, target):
    try:
        s.equal(source, target, database="chance")
    except (AssertionError, RuntimeError):
        return False
    return True


def main(s):
    if s.case == "append":
        return rows_of_others_stay(s)
    if "chance" in s.case:
        return by_chance(s)
    kind, away = s.case.split("-")[0], s.case.endswith("-away")
    source, target = make(s), s.target(kind)

    def begin():
        run = s.sync(source.uri(user="mover"), target, "--name", "alone", "--publication", "by_owner")
        scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
        return run

    run = begin()
    assert run.stderr.count("making event triggers on the source: permission denied") == 1, run.stderr
    if away:
        assert run.stop() == 0, run.error_tail()
    for place in range(3):
        change(source, place)
        if not away:
            durable(source, run)
    if away:
        run = begin()
    source.sql("INSERT INTO plain VALUES (1, 1)")
    durable(source, run)
    # of these only the source knows the values
    scenario.wait_for(lambda: not run.running() or all(run.stderr.count(f"copied public.{name}:") == (1 if away else 2) for name in ("drawn", "numbered", "written", "counted")), 60,
                      "they are copied anew")
    durable(source, run)
    assert run.stop() == 0, run.error_tail()
    if kind == "postgres":
        assert 'column "f" of public.counted has no default on the target' in run.stderr and "SET DEFAULT public.aside()" in run.stderr, run.error_tail()
        for table, column in (("counted", "s"), ("numbered", "n")):
            last = source.sql(f"SELECT max({column}) FROM {table}")
            assert target.query(f"SELECT nextval(pg_get_serial_sequence('{table}', '{column}')) > {last}") == "t", f"the numbers of {table} do not go on"
        assert source.sql(COLUMNS) == target.query(COLUMNS), set(source.sql(COLUMNS).split("\n")) ^ set(target.query(COLUMNS).split("\n"))
    s.equal(source, target)


scenario.run(main, [kind + when for kind in ("postgres", "duckdb", "clickhouse") for when in ("", "-away")] + ["append", "chance", "chance-away", "chance-duckdb-away"])
