#!/usr/bin/env python3
"""A command that changes a definition reaches the target in its place among the rows: whoever gave it (a client, several in one query, PL/pgSQL), by
whatever search_path, mixed with rows in one transaction. Definitions, by pg_dump of both ends, and rows are equal in the end; the pipeline is
killed in between. What cannot be done ends the pipeline before damage, or is listed; `drop` takes the event triggers away."""
import difflib
import json
import os
import random
import subprocess
import sys
import time

for folder in ("../../lib", "../../load"):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), folder))
import scenario
from ddl_workload import DdlWorkload

HERE = os.path.dirname(os.path.abspath(__file__))
# one query with several commands, and rows between them
SEVERAL = ("CREATE TABLE several (a int PRIMARY KEY, b int); INSERT INTO several VALUES (1, 1); ALTER TABLE several ADD c text DEFAULT 'semi;colon'; "
           "/* ; */ CREATE INDEX several_b ON several (b); INSERT INTO several VALUES (2, 2)")
# one query with several transactions, some of it undone: what looks alike is not taken for another
TRANSACTIONS = """BEGIN; CREATE INDEX first ON old (id, text); CREATE TABLE undone AS SELECT 1 AS i; DROP TABLE undone; COMMIT; BEGIN; CREATE INDEX second ON old (text, id); ROLLBACK;
    BEGIN; CREATE INDEX third ON old (id DESC); SAVEPOINT s; CREATE INDEX fourth ON old (text DESC); CREATE TABLE fifth (id text PRIMARY KEY); ROLLBACK TO s; CREATE TEMP TABLE fifth (id date PRIMARY KEY);
    CREATE INDEX sixth ON old (length(text)); COMMENT ON DATABASE postgres IS 'of the server'; COMMENT ON TABLE public.old IS 'of the table'; COMMIT; CREATE EXTENSION pg_trgm;
    CREATE FUNCTION seventh() RETURNS int LANGUAGE sql AS 'SELECT 7'; CREATE TABLE public.fifth (id int PRIMARY KEY); CREATE TABLE public.eighth AS SELECT 8 AS i; ALTER TABLE public.eighth ADD PRIMARY KEY (i);
    CREATE TABLE public.ninth (LIKE public.fifth INCLUDING ALL)"""
TABLES = """CREATE TABLE old (id serial PRIMARY KEY, text text); INSERT INTO old (text) VALUES ('first'), ('second');
    CREATE TABLE dropped (id int PRIMARY KEY); INSERT INTO dropped VALUES (1); CREATE SCHEMA app;
    CREATE TABLE joined (id int PRIMARY KEY, d text, e int DEFAULT 5); INSERT INTO joined VALUES (101, 'before');
    CREATE TABLE grown (id int PRIMARY KEY, d text) PARTITION BY RANGE (id); CREATE TABLE grown1 PARTITION OF grown FOR VALUES FROM (0) TO (10); INSERT INTO grown VALUES (1, 'one')"""
TRIGGERS = "SELECT count(*) FROM pg_event_trigger"


def schema(server, database):
    """pg_dump's text, without what belongs to one end alone."""
    text = subprocess.run([scenario.client("pg_dump"), "-s", "-O", "-x", "-N", "pgconvoy", "-d", server.socket_conninfo(database)],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    own = ("EVENT TRIGGER", "PUBLICATION", "Dumped", "restrict")
    return "\n\n".join(block for block in text.split("\n\n") if not any(word in block for word in own))


def durable(source, run):
    """All is in the target, and the tables are those that are there now."""
    for _ in range(2):
        end = source.current_lsn()
        scenario.wait_for(lambda: not run.running() or source.sql(f"SELECT bool_and(confirmed_flush_lsn >= '{end}') FROM pg_replication_slots") == "t", 60,
                          "all is durable")
        assert run.running(), run.error_tail()


def all_joined(source, target, run):
    wanted = len(source.tables())
    scenario.wait_for(lambda: not run.running() or target.query("SELECT count(*) FROM pgconvoy.table_state WHERE state = 'live'") == str(wanted), 60,
                      "all tables are live")
    assert run.running(), run.error_tail()


def every_kind(s):
    """Of 12 and 13 the server sends no messages: they come as rows of a table. One that was away meets the tables of today before it has read how they came about."""
    source = s.server(binaries=scenario.embedded_postgres(s.case) if s.case in ("12", "13") else None)
    source.sql(TABLES)
    target = s.target("postgres")
    run = s.sync(source.uri(), target, "--name", "kinds")
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
    lines = open(os.path.join(HERE, "commands.sql")).read()
    if s.case in ("12", "13"): # there all of a function's body is looked at before its first command is run
        lines = lines.replace(" UPDATE public.old SET text = text || '.'; $$;", " $$;")
    half = 0 if s.case == "away" else lines.index("-- names by the search_path")
    source.sql(lines[:half])
    run.kill()
    source.sql(lines[half:])
    for query in (SEVERAL, TRANSACTIONS):
        subprocess.run([scenario.client("psql"), "-X", "-q", "-d", source.socket_conninfo(), "-c", query], check=True)
    run = s.sync(source.uri(), target, "--name", "kinds")
    all_joined(source, target, run)
    durable(source, run)
    here, there = schema(source, "postgres"), schema(source, "target")
    assert here == there, "\n".join(line for line in difflib.unified_diff(here.split("\n"), there.split("\n"), "source", "target", n=1))
    s.equal(source, target)
    assert target.query("SELECT to_regclass('pgconvoy.ddl_skipped') IS NULL") == "t", target.query("SELECT * FROM pgconvoy.ddl_skipped")
    assert run.stop() == 0, run.error_tail()
    s.pgconvoy("drop", "kinds").ok()
    assert source.sql(TRIGGERS) == "0" and source.sql("SELECT to_regnamespace('pgconvoy') IS NULL") == "t", "event triggers were left"
    assert source.publications() == [], source.publications()


DUCKDB = ["""ALTER TABLE old ADD COLUMN n int DEFAULT 7 NOT NULL;
    INSERT INTO old (text) VALUES ('third');
    ALTER TABLE old ADD COLUMN at timestamptz DEFAULT now(), ADD COLUMN b bool DEFAULT true, ADD COLUMN d numeric(10,2) DEFAULT 1.25,
      ADD COLUMN j jsonb DEFAULT '{"a": 1}', ADD COLUMN day date DEFAULT '2020-02-29', ADD COLUMN f float8 DEFAULT 1.5;
    BEGIN; INSERT INTO old (text) VALUES ('x'); ALTER TABLE old RENAME n TO m; UPDATE old SET m = 9 WHERE id = 1;
    ALTER TABLE old ALTER m TYPE bigint; INSERT INTO old (text, m) VALUES ('y', 5000000000); COMMIT;
    ALTER TABLE old ADD COLUMN last text; UPDATE old SET last = 'l' || id;""",
          """ALTER TABLE old RENAME last TO final; UPDATE old SET final = 'm' WHERE id = 2;
    ALTER TABLE old DROP COLUMN final, ADD COLUMN final int; UPDATE old SET final = 1 WHERE id = 3;
    ALTER TABLE old ADD COLUMN c1 int DEFAULT 1, ADD COLUMN c2 int DEFAULT 2;
    ALTER TABLE old RENAME c1 TO swap; ALTER TABLE old RENAME c2 TO c1; ALTER TABLE old RENAME swap TO c2; UPDATE old SET c1 = 20 WHERE id = 2;
    ALTER TABLE old RENAME TO renamed; INSERT INTO renamed (text) VALUES ('after'); DROP TABLE dropped;
    CREATE TABLE fresh (id int PRIMARY KEY, v text); INSERT INTO fresh VALUES (1, 'a');
    ALTER TABLE renamed ADD COLUMN r uuid DEFAULT md5(random()::text)::uuid; ALTER TABLE renamed ADD COLUMN conv int DEFAULT 5;
    ALTER TABLE renamed ALTER conv TYPE bigint USING conv * 100; INSERT INTO renamed (text) VALUES ('end')"""]


def in_duckdb(s):
    """The first part while the pipeline runs, the second while it does not: what it finds then is told by the messages alone."""
    source = s.server()
    source.sql(TABLES)
    target = s.target("duckdb")
    run = s.sync(source.uri(), target, "--name", "duck")
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
    source.sql(DUCKDB[0])
    durable(source, run)
    assert run.stop() == 0, run.error_tail()
    s.equal(source, target)
    source.sql(DUCKDB[1])
    s.sync_until_caught_up(source.uri(), target, "--name", "duck")
    s.equal(source, target)
    assert not target.types("public", "dropped"), "a dropped table is still there"


# a name comes to mean another column, of another type and of the same, and a table's name another table
NAMES_MOVE = """ALTER TABLE r DROP COLUMN c, ADD COLUMN c text DEFAULT 'new'; INSERT INTO r (id, c) VALUES ({0}, 'x');
    ALTER TABLE r RENAME a TO s; ALTER TABLE r RENAME b TO a; ALTER TABLE r RENAME s TO b; UPDATE r SET a = a || '+' WHERE id = 1;
    INSERT INTO r (id, a, b) VALUES ({0} + 1, 'in a', 'in b'); ALTER TABLE r ADD COLUMN d{0} int DEFAULT 5;
    ALTER TABLE gone RENAME TO away; CREATE TABLE gone (id int PRIMARY KEY, v text); INSERT INTO gone VALUES (2, 'another');
    DROP TABLE anew; CREATE TABLE anew (id int PRIMARY KEY, w int); INSERT INTO anew VALUES (3, 4)"""
NAMED = """CREATE TABLE r (id int PRIMARY KEY, c int, a text, b text); INSERT INTO r SELECT g, g * 10, 'a' || g, 'b' || g FROM generate_series(1, 5) g;
    CREATE TABLE gone (id int PRIMARY KEY, v text); INSERT INTO gone VALUES (1, 'one'); CREATE TABLE anew (id int PRIMARY KEY); INSERT INTO anew VALUES (1)"""


def altered_before_its_copy(s):
    """Between the look at a table and its snapshot, and between that and its COPY, which reads by the names of that moment."""
    source = s.server()
    near = s.proxy(source)
    for kind, before in (("duckdb", "CREATE_REPLICATION_SLOT"), ("duckdb", "SELECT FROM ONLY"), ("postgres", "LOCK TABLE")):
        name = f"{kind}_{before[:4].lower()}"
        source.sql(f"CREATE DATABASE {name}")
        source.sql(NAMED, name)
        target = s.target(kind, name=f"to_{name}")
        near.before(before, lambda: source.sql(NAMES_MOVE.format(100), name))
        run = s.sync_until_caught_up(source.uri(name, port=near.port), target, "--name", name)
        assert near.awaited is None, f"{before} did not come"
        assert "altered since" in run.stderr or "altered after" in run.stderr, run.stderr
        s.sync_until_caught_up(source.uri(name), target, "--name", name) # tables that came meanwhile
        s.equal(source, target, database=name)


def read_ahead_of_its_end(s):
    """The stream that comes to a snapshot has been read further than it is done: what lies behind comes once more, and is known no sooner than then."""
    source = s.server()
    near = s.proxy(source)
    source.sql(NAMED)
    target = s.target("postgres")
    run = s.sync(source.uri(port=near.port), target, "--name", "ahead")
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
    near.before("TEMPORARY", lambda: near.before("START_REPLICATION", lambda: source.sql("ALTER TABLE r ADD u uuid DEFAULT md5(random()::text)::uuid")))
    source.sql("CREATE TABLE late (id int PRIMARY KEY)")
    scenario.wait_for(lambda: not run.running() or source.columns("public", "r")[-1][0] == "u", 60, "the column is there")
    all_joined(source, target, run)
    assert run.stop() == 0, run.error_tail()
    s.sync_until_caught_up(source.uri(), target, "--name", "ahead")
    s.equal(source, target)


def references_to_what_has_not_joined(s):
    """A migration makes a table, fills it, and has one that was there refer to it: in the stream the key comes before the new table's rows. It is made without the check, which is done once they are there;
    of a table that does not come it is listed."""
    source, target = s.server(), s.target("postgres")
    source.sql("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, NULL)")
    s.sync_until_caught_up(source.uri(), target, "--name", "refers")
    make = """CREATE TABLE a{0} (id int PRIMARY KEY, twin int); INSERT INTO a{0} VALUES (1, 1), (2, 1), (3, 2); UPDATE t SET a = 1; INSERT INTO t VALUES (2{0}, 2), (3{0}, 3);
        ALTER TABLE t ADD b{0} int, ADD CONSTRAINT to_a{0} FOREIGN KEY (a) REFERENCES a{0} ON DELETE CASCADE, ADD FOREIGN KEY (b{0}) REFERENCES a{0} /* , */; ALTER TABLE a{0} ADD FOREIGN KEY (twin) REFERENCES a{0} DEFERRABLE;
        ALTER TABLE t ADD COLUMN IF NOT EXISTS "c,{0}" int DEFAULT 2 CONSTRAINT "to(c{0}" REFERENCES a{0} ON DELETE SET NULL NOT DEFERRABLE CHECK ("c,{0}" > 0), ADD d{0} numeric(4) DEFAULT 1 NOT NULL, ADD e{0} int REFERENCES a{0}(id)
            ON UPDATE SET DEFAULT DEFERRABLE INITIALLY DEFERRED NOT NULL DEFAULT 1;
        CREATE TABLE c{0} (id int PRIMARY KEY REFERENCES a{0}); INSERT INTO c{0} VALUES (1), (3); DELETE FROM c{0} WHERE id = 3; DELETE FROM a{0} WHERE id = 3"""
    keys = "SELECT string_agg(format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)), '; ' ORDER BY conrelid::regclass::text, conname) FROM pg_constraint WHERE contype IN ('f', 'c')"
    source.sql(make.format(1))
    run = s.sync(source.uri(), target, "--name", "refers")
    scenario.wait_for(lambda: "copied public.c1" in run.stderr or not run.running(), 60, "the tables have joined")
    scenario.wait_for(lambda: target.query(keys) == source.sql(keys) or not run.running(), 60, "the keys are checked")
    assert "but not checked" in run.stderr, run.stderr
    source.sql("ALTER TABLE t DROP CONSTRAINT to_a1;" + make.format(2) + "; CREATE TABLE never (id int UNIQUE); INSERT INTO never VALUES (7); ALTER TABLE t ADD n int DEFAULT 7 REFERENCES never (id)")
    scenario.wait_for(lambda: "copied public.c2" in run.stderr or not run.running(), 60, "the tables have joined")
    assert run.running() and run.stop() == 0, run.error_tail()
    s.sync_until_caught_up(source.uri(), target, "--name", "refers")
    assert target.query(keys).replace(" NOT VALID", "", 1) == source.sql(keys) and "REFERENCES never(id) NOT VALID" in target.query(keys), target.query(keys)
    assert target.query("SELECT string_agg(command, ';') FROM pgconvoy.ddl_skipped") == "ALTER TABLE public.t VALIDATE CONSTRAINT t_n_fkey", target.query("TABLE pgconvoy.ddl_skipped")
    s.equal(source, target, tables=[("public", name) for name in ("t", "a1", "a2", "c1", "c2")])
    with open(os.path.join(s.state, "refers", "ddl.json")) as file:
        assert json.load(file) == {"skipped": 1}


def names_move_without_triggers(s):
    """A column is told by its number, also where only the source's catalog tells it."""
    source = s.server()
    source.sql(NAMED)
    target = s.target("postgres")
    run = s.sync(source.uri(), target, "--name", "off", "--ddl=off")
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
    for command in ("ALTER TABLE r DROP COLUMN c, ADD COLUMN c text DEFAULT 'new'; INSERT INTO r (id, c) VALUES (100, 'x')",
                    "ALTER TABLE r RENAME a TO s; ALTER TABLE r RENAME b TO a; ALTER TABLE r RENAME s TO b; INSERT INTO r (id, a, b) VALUES (101, 'in a', 'in b')",
                    "ALTER TABLE r DROP COLUMN b; ALTER TABLE r RENAME a TO b; INSERT INTO r (id, b) VALUES (102, 'in b')"):
        source.sql(command)
        durable(source, run)
        s.equal(source, target, tables=[("public", "r")])
    assert run.stop() == 0, run.error_tail()


def what_cannot_be_done(s):
    source = s.server()
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'); CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM t")
    target = s.target("postgres")
    s.sync_until_caught_up(source.uri(), target, "--name", "no")
    # what has been the source's alone is renewed there, again and again
    source.sql("REFRESH MATERIALIZED VIEW counted")
    run = s.sync_until_caught_up(source.uri(), target, "--name", "no")
    assert "left out" not in run.stderr and target.query("SELECT to_regclass('pgconvoy.ddl_skipped') IS NULL") == "t", run.stderr
    # a value that the target alone has stands against a constraint
    target.query("INSERT INTO t VALUES (100, NULL)")
    source.sql("ALTER TABLE t ALTER v SET NOT NULL; INSERT INTO t VALUES (2, 'b')")
    run = s.sync(source.uri(), target, "--name", "no", "--until", "caught-up")
    assert run.wait(60) != 0, "a command that cannot be done did not end the pipeline"
    assert "ALTER TABLE public.t cannot be carried over" in run.stderr and "--ddl=skip" in run.stderr, run.stderr
    assert target.query("SELECT count(*) FROM t") == "2", "rows came behind a command that was not done"
    # left out and listed; rows go on, and so do those of a role that may write messages: they are not the triggers'
    source.sql("SELECT pg_logical_emit_message(true, 'pgconvoy.ddl', '{\"key\": \"guessed\", \"ddl\": {\"event\": \"ddl_command_end\", "
               "\"tag\": \"DROP TABLE\", \"text\": \"DROP TABLE t\"}}')")
    run = s.sync_until_caught_up(source.uri(), target, "--name", "no", "--ddl=skip")
    assert "has not the key" in run.stderr, run.stderr
    assert target.query("SELECT tag || ' ' || command FROM pgconvoy.ddl_skipped") == "ALTER TABLE ALTER TABLE t ALTER v SET NOT NULL"
    assert target.query("SELECT count(*) FROM t") == "3"
    # a command about what the target never had is listed too, and ends nothing
    source.sql("CREATE VIEW seen AS SELECT id FROM t")
    s.sync_until_caught_up(source.uri(), target, "--name", "no")
    target.query("DROP VIEW seen")
    source.sql("COMMENT ON VIEW seen IS 'by the source'; ALTER TABLE t ADD COLUMN w int DEFAULT 3")
    s.sync_until_caught_up(source.uri(), target, "--name", "no")
    assert target.query("SELECT string_agg(tag, ', ' ORDER BY skipped_at) FROM pgconvoy.ddl_skipped") == "ALTER TABLE, COMMENT"
    assert target.query("SELECT string_agg(w::text, ',') FROM t") == "3,3,3"
    assert "2 commands of DDL" in s.pgconvoy("status", "no").ok().stdout
    # off: no triggers are made
    source.sql("CREATE DATABASE without"); source.sql("CREATE TABLE t (id int PRIMARY KEY)", "without")
    s.sync_until_caught_up(source.uri("without"), s.target("postgres", name="off"), "--name", "off", "--ddl=off")
    assert source.sql(TRIGGERS, "without") == "0"


def by_chance(s):
    """Steps of tests/load/ddl_workload.py with kills between; DDL_SECONDS gives it more time than DDL_STEPS steps, and the seed says which; the short form has always the same."""
    source = s.server()
    source.create_database("chance")
    chosen = "DDL_SECONDS" in os.environ or "SCENARIO_SEED" in os.environ
    workload = DdlWorkload(source, "chance", s.random if chosen else random.Random(1))
    workload.prepare()
    target = s.target("postgres")
    run = s.sync(source.uri("chance"), target, "--name", "chance")
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
    end, steps = time.monotonic() + float(os.environ.get("DDL_SECONDS", "0")), int(os.environ.get("DDL_STEPS", "12"))
    log = open(os.path.join(s.folder, "steps"), "w")
    step = 0
    while step < steps or time.monotonic() < end:
        step += 1
        print(step, *workload.step(), file=log, flush=True)
        assert run.running(), run.error_tail()
        if step % 10 == 5:
            run.kill()
            run = s.sync(source.uri("chance"), target, "--name", "chance")
        if step % 100 == 0:
            end_is_equal(s, source, target, run)
    end_is_equal(s, source, target, run)
    assert run.stop() == 0, run.error_tail()


def end_is_equal(s, source, target, run):
    names = source.tables("chance")
    scenario.wait_for(lambda: not run.running() or target.query("SELECT count(*) FROM pgconvoy.table_state WHERE state = 'live' AND copy_lsn > '0/0'") ==
                      str(len(names)), 60, "all tables are live")
    assert run.running(), run.error_tail()
    durable(source, run)
    here, there = schema(source, "chance"), schema(source, "target")
    assert here == there, "\n".join(line for line in difflib.unified_diff(here.split("\n"), there.split("\n"), "source", "target", n=1))
    s.equal(source, target, database="chance")


CASES = {"chance": by_chance, "postgres": every_kind, "away": every_kind, **({"12": every_kind, "13": every_kind} if "DDL_SECONDS" in os.environ else {}), "duckdb": in_duckdb, "refused": what_cannot_be_done, "altered": altered_before_its_copy, "ahead": read_ahead_of_its_end,
         "names": names_move_without_triggers, "references": references_to_what_has_not_joined}
scenario.run(lambda s: CASES[s.case](s), cases=list(CASES))
