#!/usr/bin/env python3
"""Tables that change names: the old one kept aside and a new one put in its place, again and again with the same names; two that trade places; one that moves to
another schema and comes back with other columns. Where no event triggers tell so (a service's role may make none, --ddl off) the source's catalog does, be it while the
pipeline runs or while it is away: the target's tables get the names, and none is copied again for it. A table of somebody else's that has such a name is left alone."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = """
CREATE SCHEMA app; CREATE TABLE t (id bigint PRIMARY KEY, n int, w text); CREATE TABLE u (LIKE t INCLUDING ALL); CREATE TABLE o (id int PRIMARY KEY); CREATE INDEX ON t (n);
CREATE TABLE v (id int CONSTRAINT v_key PRIMARY KEY, n int); CREATE INDEX v_n ON v (n); INSERT INTO v SELECT i, i FROM generate_series(1, 9) AS i;
INSERT INTO t SELECT i, i, i FROM generate_series(1, 9) AS i; INSERT INTO u SELECT 100 + i, i, i FROM generate_series(1, 9) AS i"""
WRITE = "INSERT INTO t (id) SELECT max(id) + 1 FROM t; INSERT INTO o SELECT count(*) FROM o; UPDATE t SET w = w || '!' WHERE id % 3 = 0"
TRADES = {
    # the new one is filled first, and joins the pipeline, or comes in one transaction
    "kept aside": ["CREATE TABLE t_new (LIKE t INCLUDING ALL); INSERT INTO t_new SELECT id, n + 1, w FROM t; UPDATE t SET n = 77 WHERE id = 2",
                   "BEGIN; DROP TABLE IF EXISTS t_old; ALTER TABLE t RENAME TO t_old; ALTER TABLE t_new RENAME TO t; COMMIT", WRITE],
    "at once": ["BEGIN; CREATE TABLE t_new (LIKE t INCLUDING ALL); INSERT INTO t_new SELECT id, n + 1, w FROM t; DROP TABLE IF EXISTS t_old;"
                "ALTER TABLE t RENAME TO t_old; ALTER TABLE t_new RENAME TO t; COMMIT", WRITE],
    "traded": ["INSERT INTO u SELECT max(id) + 1 FROM u; UPDATE t SET n = n + 1; BEGIN; UPDATE u SET w = 'u'; ALTER TABLE t RENAME TO tmp; ALTER TABLE u RENAME TO t; "
               "ALTER TABLE tmp RENAME TO u; UPDATE t SET w = 't'; UPDATE u SET n = n + 2; COMMIT", WRITE + "; DELETE FROM u WHERE id % 7 = 3"],
    # the indexes' names go round with them: that of a new table's is at the target still with the one that was new before
    "with indexes": ["CREATE TABLE v_new (id int CONSTRAINT v_new_key PRIMARY KEY, n int); CREATE INDEX v_new_n ON v_new (n); INSERT INTO v_new SELECT id, n + 1 FROM v",
                     "BEGIN; DROP TABLE IF EXISTS v_old; ALTER TABLE v RENAME TO v_old; ALTER INDEX v_key RENAME TO v_old_key; ALTER INDEX v_n RENAME TO v_old_n;"
                     "ALTER TABLE v_new RENAME TO v; ALTER INDEX v_new_key RENAME TO v_key; ALTER INDEX v_new_n RENAME TO v_n; COMMIT", "INSERT INTO v SELECT max(id) + 1 FROM v"],
    "moved": ["BEGIN; ALTER TABLE u SET SCHEMA app; ALTER TABLE app.u RENAME TO \"U u\"; ALTER TABLE app.\"U u\" ADD more text; INSERT INTO app.\"U u\" (id, more) SELECT max(id) + 1, 'm' FROM app.\"U u\"; COMMIT",
              WRITE, "BEGIN; ALTER TABLE app.\"U u\" DROP more; ALTER TABLE app.\"U u\" RENAME TO u; ALTER TABLE app.u SET SCHEMA public; UPDATE u SET n = n + 1; COMMIT"],
}
NAMES = """SELECT string_agg(format('%s.%s', n.nspname, c.relname), ', ' ORDER BY n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' AND n.nspname IN ('public', 'app')"""


def differs(s, source, target):
    """What is not the same yet, or None."""
    here, there = source.sql(NAMES), target.query(NAMES)
    if here != there:
        return f"tables {here} at the source, {there} at the target"
    try:
        s.equal(source, target)
    except (AssertionError, RuntimeError) as error:  # a table may go between two looks
        return str(error)
    return None


def trade(s, source, target, options, away):
    run = s.sync(source.uri(), target, *options)
    for name, steps in TRADES.items():
        for turn in range(2):
            if away:
                scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
                assert run.stop() == 0, run.error_tail()
            for step in steps:
                source.sql(step)
            if away:
                run = s.sync(source.uri(), target, *options)
            end = source.current_lsn()
            scenario.wait_for(lambda: not run.running() or (source.sql(f"SELECT bool_and(confirmed_flush_lsn >= '{end}') FROM pg_replication_slots") == "t"
                                                            and differs(s, source, target) is None), 40, f"{name}, {turn}: " + (differs(s, source, target) or ""))
            assert run.running(), f"{name}, {turn}: {run.error_tail()}"
    assert run.stop() == 0, run.error_tail()
    assert differs(s, source, target) is None, differs(s, source, target)
    log = "".join(each.stderr for each in s.runs)
    assert s.case == "told" or "is called" in log, "no index had a name that another one needed"
    assert "copied public.u" in log and log.count("copied public.u:") == 1, "a table that has another name was copied again"


def apart(s, source, target, options):
    """Targets whose checkpoint has names alone: what another table had before is not taken for this one's rows."""
    s.sync_until_caught_up(source.uri(), target, *options)
    for steps in TRADES.values():
        for _ in range(2):
            for step in steps:
                source.sql(step)
            s.sync_until_caught_up(source.uri(), target, *options)
            s.equal(source, target)


KEPT_ASIDE = "ALTER TABLE t RENAME TO t_old; CREATE TABLE t (LIKE t_old INCLUDING ALL); INSERT INTO t SELECT id, n + 1, w FROM t_old WHERE id < 6; INSERT INTO t_old (id) VALUES (50)"


def late(s, source, target, options):
    """The tables are looked at, then published, then read in a snapshot: names may change after each of these, also those of columns and of a table that joins."""
    trade_columns = "ALTER TABLE {0} RENAME p TO tmp; ALTER TABLE {0} RENAME q TO p; ALTER TABLE {0} RENAME tmp TO q; UPDATE {0} SET p = 5 WHERE id = 1; "
    source.sql("CREATE TABLE pq (id int PRIMARY KEY, p int, q int); INSERT INTO pq SELECT i, i, -i FROM generate_series(1, 5) AS i")
    def open_one():
        session = s.session(source, "BEGIN; SELECT pg_current_xact_id();\n")
        scenario.wait_for(lambda: source.sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%pg_current_xact_id%'") == "1", 60, "it is open")
        return session

    waited_for = None
    if s.case.startswith("duckdb"):
        run = s.sync(source.uri(), target, *options)
    else:
        session = s.session(target.server, "BEGIN; CREATE SCHEMA pgconvoy;\n", target.database)
        scenario.wait_for(lambda: source.sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE 'CREATE SCHEMA%'") == "1", 60, "it is open")
        run = s.sync(source.uri(), target, *options)
        scenario.wait_for(lambda: not run.running() or source.sql("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted") == "t", 60, "it waits for the target")
        source.sql(KEPT_ASIDE)
        waited_for = session
    session = open_one()
    if waited_for:
        s.end_session(waited_for)
    scenario.wait_for(lambda: "made publication" in run.stderr or not run.running(), 60, "it waits for the transaction")
    source.sql(trade_columns.format("pq") + "ALTER TABLE u RENAME TO tmp; ALTER TABLE v RENAME TO u; ALTER TABLE tmp RENAME TO v; INSERT INTO v (id) VALUES (200); INSERT INTO u (id) VALUES (200)")
    s.end_session(session)
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
    session = open_one()
    source.sql("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (LIKE a INCLUDING ALL); INSERT INTO a VALUES (1); INSERT INTO b VALUES (2); CREATE TABLE joins (LIKE pq INCLUDING ALL); INSERT INTO joins TABLE pq")
    scenario.wait_for(lambda: run.stderr.count("going on with those") >= 1 or not run.running(), 60, "they join")
    source.sql(trade_columns.format("joins") + "ALTER TABLE a RENAME TO tmp; ALTER TABLE b RENAME TO a; ALTER TABLE tmp RENAME TO b; INSERT INTO a VALUES (3); INSERT INTO b VALUES (3); ALTER TABLE o RENAME TO c; INSERT INTO c VALUES (3)")
    s.end_session(session)
    scenario.wait_for(lambda: all(f"copied public.{table}:" in run.stderr for table in ("a", "b", "joins")) or not run.running(), 60, "they have joined")
    session = s.session(source, "CREATE TABLE comes (id int PRIMARY KEY); INSERT INTO comes VALUES (1); BEGIN; ALTER TABLE comes RENAME TO came;\n")
    scenario.wait_for(lambda: not run.running() or source.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER PUBLICATION%comes%'") == "1", 60, "it is to join")
    session.stdin.write("COMMIT;\n")
    s.end_session(session)
    scenario.wait_for(lambda: "copied public.came:" in run.stderr or not run.running(), 60, "it has joined")
    assert "comes" not in run.stderr, run.stderr
    assert run.stop() == 0, run.error_tail()
    s.sync_until_caught_up(source.uri(), target, *options)
    s.equal(source, target)
    assert waited_for is None or differs(s, source, target) is None, differs(s, source, target)


def main(s):
    kind = s.case.split("-")[0] if s.case.split("-")[0] in ("duckdb", "clickhouse") else "postgres"
    source, target = s.server(), s.target(kind)
    source.sql(TABLES)
    options = ["--name", "names", *([] if "told" in s.case or kind == "clickhouse" else ["--ddl", "off"])]
    if s.case.endswith("-late"):
        return late(s, source, target, options)
    if kind != "postgres":
        return apart(s, source, target, options)
    if s.case != "somebody_elses":
        return trade(s, source, target, options, s.case == "away")
    s.sync_until_caught_up(source.uri(), target, *options)
    target.query("CREATE TABLE \"U u\" (mine int); INSERT INTO \"U u\" VALUES (5)")
    source.sql("ALTER TABLE u RENAME TO \"U u\"; INSERT INTO \"U u\" SELECT max(id) + 1 FROM \"U u\"")
    s.sync(source.uri(), target, *options, "--until", "caught-up").fails(1, ["U u"])
    assert target.query("SELECT mine FROM \"U u\"") == "5" and target.query("SELECT count(*) FROM u") == "9"
    target.query("ALTER TABLE \"U u\" RENAME TO mine")
    s.sync_until_caught_up(source.uri(), target, *options)
    s.equal(source, target)
    assert target.query("SELECT mine FROM mine") == "5"


scenario.run(main, cases=["seen", "away", "told", "somebody_elses", "duckdb-away", "clickhouse-away", "seen-late", "told-late", "duckdb-late"])
