#!/usr/bin/env python3
"""
A type that a target's column cannot become, a default that it does not read, another schema of DuckDB's: the one table is copied anew as it is by then, and the others go on, be it while the
pipeline runs or not, with changes of before and after on their way. So is a table with the name of one that is still there. Also without event triggers, where nobody tells of a type that was altered meanwhile.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = """
CREATE SCHEMA app; CREATE TABLE other (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, n int, f real, a int[], d date);
INSERT INTO t SELECT i, i, i / 3.0, ARRAY[i, -i], '2026-01-01'::date + i FROM generate_series(1, 20) AS i"""
BEFORE = "INSERT INTO {0} (id) VALUES (100); UPDATE {0} SET n = 1 WHERE id = 1; INSERT INTO other SELECT count(*) FROM other; "
AFTER = "; INSERT INTO {0} (id) VALUES (200), (201); UPDATE {0} SET id = 203 WHERE id = 201; DELETE FROM {0} WHERE id IN (5, 100, 200, 203); INSERT INTO other SELECT count(*) FROM other"

# The table's name by then, what is altered, and what only the new type holds.
STEPS = [("public.t", "ALTER TABLE t ALTER n TYPE numeric", "UPDATE t SET n = 1.5 WHERE id = 2"), ("public.t", "ALTER TABLE t ALTER d TYPE timestamp", "UPDATE t SET d = '2026-01-01 07:08:09' WHERE id = 3"),
         ("public.t", "ALTER TABLE t ALTER a TYPE text USING a::text", "UPDATE t SET a = 'none' WHERE id = 4"), ("public.t", "ALTER TABLE t ADD span interval DEFAULT '1 day 2:03', ADD two int[] DEFAULT '{1,2}'", "SELECT 1"),
         ("app.t", "ALTER TABLE t SET SCHEMA app", "UPDATE app.t SET n = 2.5 WHERE id = 2"), ("app.u", "ALTER TABLE app.t RENAME TO u; ALTER TABLE app.u ALTER f TYPE text USING 'a' || f", "UPDATE app.u SET f = 'b'"),
         ("app.u", "BEGIN; INSERT INTO app.u (id) VALUES (50); ALTER TABLE app.u ALTER n TYPE smallint; DELETE FROM app.u WHERE id = 7; ALTER TABLE app.u ALTER id TYPE numeric; COMMIT", "UPDATE app.u SET id = 8.5 WHERE id = 8")]

# What they can do by an ALTER of their own.
FOLLOWED = {"duckdb": ["ALTER TABLE t ALTER d TYPE timestamp"],
            "clickhouse": ["ALTER TABLE t ALTER n TYPE numeric", "ALTER TABLE t ALTER a TYPE text USING a::text", "ALTER TABLE t ADD span interval DEFAULT '1 day 2:03', ADD two int[] DEFAULT '{1,2}'",
                           "ALTER TABLE t SET SCHEMA app"],
            "bigquery": ["ALTER TABLE t SET SCHEMA app"], "snowflake": ["ALTER TABLE t ADD span interval DEFAULT '1 day 2:03', ADD two int[] DEFAULT '{1,2}'", "ALTER TABLE t SET SCHEMA app"]}
SERVICES = ("bigquery", "snowflake")  # stand-ins


def confirmed(source):
    return source.sql(f"SELECT bool_and(confirmed_flush_lsn >= '{source.current_lsn()}') FROM pg_replication_slots")


def each_step(s, kind, away):
    source, target, name = s.server(), s.service(kind, "anew") if kind in SERVICES else s.target(kind), "public.t"
    source.sql(TABLES)
    s.sync_until_caught_up(source.uri(), target, "--name", "anew").ok()
    for after, change, only_new in STEPS:
        steps = BEFORE.format(name) + change + AFTER.format(after) + ";" + only_new
        name = after
        if away:
            source.sql(steps)
            run = s.sync_until_caught_up(source.uri(), target, "--name", "anew")
        else:
            run = s.sync(source.uri(), target, "--name", "anew")
            scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
            source.sql(steps)
            anew = change not in FOLLOWED[kind]
            scenario.wait_for(lambda: not anew or "copied " + after in run.stderr or not run.running(), 60, "it is copied anew")
            assert run.running(), run.error_tail()
            assert (": the table is copied anew" in run.stderr) == anew, run.stderr
            scenario.wait_for(lambda: confirmed(source) == "t" or not run.running(), 60, "it is durable")
            run.stop()
        run.ok()
        assert "copied public.other" not in run.stderr, run.stderr
        s.equal(source, target)
    if away or kind != "duckdb":  # one that has another name by then is copied under it, and the old one is left
        return
    assert target.query("SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema IN ('public', 'app') ORDER BY 1") == "app.u\npublic.other"


def labels_are_no_other_type(s):
    """Nor are those that an enum has from before, or not yet: a command on such a table copies nothing."""
    source, target = s.server(), s.target("duckdb")
    source.sql("CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE t (id int PRIMARY KEY, m mood, ms mood[]); INSERT INTO t VALUES (1, 'a', '{b}')")
    s.sync_until_caught_up(source.uri(), target, "--name", "labels").ok()
    source.sql("ALTER TYPE mood ADD VALUE 'c'; ALTER TABLE t ADD n int; INSERT INTO t VALUES (2, 'c', '{a,c}', 1); ALTER TABLE t ADD d date")
    run = s.sync_until_caught_up(source.uri(), target, "--name", "labels")
    assert "anew" not in run.stderr, run.stderr
    s.equal(source, target)


def what_nobody_tells(s):
    """And a table that was there before is its owner's."""
    source, target = s.server(), s.target("duckdb")
    source.sql(TABLES)
    options = ("--name", "untold", "--ddl", "off")
    s.sync_until_caught_up(source.uri(), target, *options).ok()
    source.sql("ALTER TABLE t ALTER n TYPE numeric; UPDATE t SET n = 1.5 WHERE id = 2")
    run = s.sync_until_caught_up(source.uri(), target, *options)
    assert "has another type by now" in run.stderr and "copied public.t: 20 rows" in run.stderr, run.stderr
    s.equal(source, target)
    s.pgconvoy("drop", source.uri(), target.uri, "--name", "untold").ok()
    s.sync_until_caught_up(source.uri(), target, "--name", "owned", "--if-exists", "truncate", "-t", "other").ok()
    source.sql("ALTER TABLE other ALTER id TYPE text; INSERT INTO other VALUES ('a')")
    for more in ((), ("--ddl", "off")):
        run = s.pgconvoy("sync", source.uri(), target.uri, "--name", "owned", "-t", "other", "--until", "caught-up", *more).fails()
        assert "table public.other" in run.stderr and "anew" not in run.stderr.split("error:")[0], run.stderr


def only_the_source_knows(s, kind):
    """What a column that came meanwhile gave to the rows from before, where only rows tell that it came."""
    source, target = s.server(), s.service(kind, "anew") if kind in SERVICES else s.target(kind)
    options = ("--name", "computed", "--ddl", "off")
    source.sql(TABLES)
    s.sync_until_caught_up(source.uri(), target, *options).ok()
    source.sql("ALTER TABLE t ADD u uuid DEFAULT gen_random_uuid(), ADD c bigint GENERATED ALWAYS AS IDENTITY; UPDATE t SET n = 1 WHERE id < 4; ALTER TABLE other ADD x int DEFAULT 7; INSERT INTO other VALUES (100, 3)")
    run = s.sync_until_caught_up(source.uri(), target, *options)
    assert "copied public.t: 20 rows" in run.stderr and "copied public.other" not in run.stderr, run.stderr
    s.equal(source, target)


# A table is replaced, in three ways, each three times with the same names. What this pipeline has made under a name, and which is another table by now, is in the way of the one that has the name then.
SWAPS = {"built_after": ['ALTER TABLE t RENAME TO "t 1"; CREATE TABLE t (LIKE "t 1" INCLUDING ALL); INSERT INTO t SELECT id, n + 1, w FROM "t 1"; DROP TABLE "t 1"'],
         "built_before": ["CREATE TABLE t_new (LIKE t INCLUDING ALL); INSERT INTO t_new SELECT id, n + 10, w FROM t",
                          "BEGIN; DROP TABLE IF EXISTS t_old; ALTER TABLE t RENAME TO t_old; ALTER TABLE t_new RENAME TO t; COMMIT"],
         "in_a_circle": ["BEGIN; UPDATE t SET n = n + 1; ALTER TABLE t RENAME TO tmp; ALTER TABLE u RENAME TO t; ALTER TABLE tmp RENAME TO u; UPDATE t SET w = 't'; UPDATE u SET n = n + 2; COMMIT"]}
LIVELY = "INSERT INTO other SELECT count(*) FROM other; INSERT INTO t (id) SELECT max(id) + 1 FROM t; UPDATE t SET n = 7 WHERE id % 5 = 2; DELETE FROM u WHERE id % 7 = 3; INSERT INTO u SELECT max(id) + 3, 1 FROM u"


def names_come_again(s, kind):
    source, target = s.server(), s.target(kind)
    source.sql("""CREATE TABLE t (id int PRIMARY KEY, n int, w text); CREATE TABLE u (id int PRIMARY KEY, gone int, n int, w text); ALTER TABLE u DROP gone; CREATE TABLE other (id int PRIMARY KEY);
        INSERT INTO t SELECT i, i, 'of t' FROM generate_series(1, 9) AS i; INSERT INTO u SELECT 100 + i, i, 'of u' FROM generate_series(1, 9) AS i""")

    def is_there():
        assert run.running(), run.error_tail()
        if kind == "duckdb":  # nobody else reads its file while it is written
            return confirmed(source) == "t"
        try:
            return s.equal(source, target) is None
        except (AssertionError, KeyError, RuntimeError):  # not yet, or no such table yet
            return False

    for way, steps in SWAPS.items():
        run = s.sync(source.uri(), target, "--name", "again")
        scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
        for step in 3 * [*steps[:-1], steps[-1] + ";" + LIVELY]:
            source.sql(step)
            scenario.wait_for(is_there, 30, f"{way} is there: {step}")
        assert run.stop() == 0, run.error_tail()
        s.sync_until_caught_up(source.uri(), target, "--name", "again").ok()
        s.equal(source, target)


def the_name_is_somebodys(s, kind):
    """What this pipeline has not made stays as it is, and what it may not make anew is not."""
    source, target = s.server(), s.target(kind)
    source.sql("CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE theirs (LIKE t INCLUDING ALL); INSERT INTO t VALUES (1, 1); INSERT INTO theirs VALUES (2, 2)")
    s.sync_until_caught_up(source.uri(), target, "--name", "others", "-t", "theirs").ok()
    s.pgconvoy("drop", source.uri(), target.uri, "--name", "others").ok()
    source.sql("DROP TABLE theirs")
    s.sync_until_caught_up(source.uri(), target, "--name", "taken").ok()
    shape = source.columns("public", "t")
    theirs = target.rows("public", "theirs", shape)
    run = s.sync(source.uri(), target, "--name", "taken")
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
    source.sql("ALTER TABLE t RENAME TO theirs; INSERT INTO theirs VALUES (3, 3)")
    scenario.wait_for(lambda: not run.running(), 60, "it ends")
    for run in (run, s.pgconvoy("sync", source.uri(), target.uri, "--name", "taken", "--until", "caught-up")):
        assert "table theirs " in run.fails().error_tail() and "not made by this pipeline" in run.stderr, run.stderr
        assert target.rows("public", "theirs", shape) == theirs
    s.sync_until_caught_up(source.uri(), target, "--name", "taken", "--if-exists", "drop").ok()
    s.equal(source, target)


CASES = {f"{kind}-{when}": lambda s, kind=kind, when=when: each_step(s, kind, when == "away") for kind in FOLLOWED for when in ("away", "live")}
CASES.update({f"{kind}-names": lambda s, kind=kind: names_come_again(s, kind) for kind in FOLLOWED})
CASES.update({f"{kind}-taken": lambda s, kind=kind: the_name_is_somebodys(s, kind) for kind in FOLLOWED if kind != "duckdb"})
CASES.update({f"{kind}-computed": lambda s, kind=kind: only_the_source_knows(s, kind) for kind in FOLLOWED})
CASES["untold"] = what_nobody_tells
CASES["labels"] = labels_are_no_other_type
scenario.run(lambda s: CASES[s.case](s), cases=[case for case in CASES if os.environ.get("SCENARIO_FULL") or case in ("bigquery-names", "bigquery-computed") or not case.startswith(SERVICES)])
