#!/usr/bin/env python3
"""TRUNCATE and what rewrites a table (ALTER TABLE … TYPE, VACUUM FULL, CLUSTER) are not held back by a snapshot: a table that was rewritten after the snapshot and before its rows are read looks
empty in it. `copy` and `sync` see that, say the table's name, and end equal.

A transaction that rewrites a table may be under way while the slot is made, too: the server then does not know of it when it decodes what comes right after.

Without arguments all of it happens at once; REWRITES=each does one after the other.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

SCHEMA = """CREATE TABLE first (id int PRIMARY KEY); INSERT INTO first VALUES (1);
CREATE TABLE truncated (id int PRIMARY KEY, v text); CREATE TABLE retyped (LIKE truncated INCLUDING ALL); CREATE TABLE vacuumed (LIKE truncated INCLUDING ALL); CREATE TABLE clustered (LIKE truncated INCLUDING ALL);
INSERT INTO truncated SELECT i, i FROM generate_series(1, 100) i; INSERT INTO retyped TABLE truncated; INSERT INTO vacuumed TABLE truncated; INSERT INTO clustered TABLE truncated; DELETE FROM vacuumed WHERE id < 50"""
REWRITES = {"truncated": "TRUNCATE truncated; INSERT INTO truncated VALUES (1, 'new'), (2, 'new')",
            "retyped": "ALTER TABLE retyped ALTER id TYPE bigint, ALTER v TYPE varchar(40); INSERT INTO retyped VALUES (1000000000000, 'new')",
            "vacuumed": "VACUUM FULL vacuumed",
            "clustered": "CLUSTER clustered USING clustered_pkey"}
TABLES = [("public", name) for name in ("first", *REWRITES)]
SAYS = "was truncated or rewritten"
# what an old snapshot sees all rows of may be copied with or without a word
MISSING = ("truncated", "retyped")


def rewrite(source, database, kinds):
    for kind in kinds:
        source.sql(REWRITES[kind], database)


def says_it(run, kinds):
    if any(kind in MISSING for kind in kinds):
        assert "trying again" in run.stderr and any(f"public.{kind} {SAYS}" in run.stderr for kind in kinds), run.stderr


def of_copy(s, source, name, kinds):
    """A catalog that is read between the snapshot and the tables' locks, and by nobody else, holds the copy up there."""
    source.create_database(name, SCHEMA)
    target = s.target("postgres", name=name + "_target")
    holder = s.session(source, "BEGIN; LOCK TABLE pg_foreign_table IN ACCESS EXCLUSIVE MODE;", name)
    run = s.pgconvoy("copy", source.uri(name), target.uri)
    scenario.wait_for(lambda: source.sql("SELECT count(*) FROM pg_locks WHERE relation = 'pg_foreign_table'::regclass AND NOT granted", name) != "0", 60, "it has its snapshot")
    rewrite(source, name, kinds)
    s.end_session(holder)
    run.ok()
    s.equal(source, target, name, TABLES)
    says_it(run, kinds)


def of_sync(s, source, name, kinds):
    """What makes room in the target comes between the snapshot and the tables' locks."""
    source.create_database(name, SCHEMA)
    target = s.target("postgres", name=name + "_target")
    target.query("CREATE TABLE first (id int)")
    holder = s.session(target.server, "BEGIN; TABLE first;", target.database)
    run = s.sync(source.uri(name), target, "--name", name, "--if-exists", "drop", "--until", "caught-up")
    scenario.wait_for(lambda: target.query("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE 'DROP TABLE%'") != "0", 60, "it has its snapshot")
    rewrite(source, name, kinds)
    s.end_session(holder)
    run.ok()
    says_it(run, kinds)
    s.equal(source, target, name, TABLES)
    assert target.query("SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'retyped'::regclass AND attname = 'id'") == ("bigint" if "retyped" in kinds else "integer")
    source.sql("INSERT INTO retyped VALUES (0, 'later'); UPDATE truncated SET v = 'later' WHERE id = 2; DELETE FROM vacuumed WHERE id = 60", name)
    s.sync_until_caught_up(source.uri(name), target, "--name", name)
    s.equal(source, target, name, TABLES)


SLOW = """CREATE FUNCTION takes_its_time(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
CREATE TABLE slow (id int PRIMARY KEY CHECK (takes_its_time(id)), filler text); ALTER TABLE slow ALTER filler SET STORAGE PLAIN; INSERT INTO slow SELECT i, repeat('x', 7000) FROM generate_series(1, 150) i;
CREATE OR REPLACE FUNCTION takes_its_time(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pg_catalog.pg_sleep(0.01); RETURN true; END'"""


def of_lost_lock(s, source, kind):
    """The connection that holds the snapshot and the locks is lost while the largest table is copied: what is rewritten then is seen when it is read."""
    name = "lost_" + kind
    source.create_database(name, SCHEMA + ";" + SLOW)
    target = s.target("postgres", name=name + "_target")
    run = s.pgconvoy("copy", source.uri(name), target.uri, "-j", "1")
    scenario.wait_for(lambda: source.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%COPY %slow%' AND pid <> pg_backend_pid()", name) != "0", 60,
                      "the slow table is copied")
    holders = f"FROM pg_locks WHERE locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND relation = '{kind}'::regclass"
    assert source.sql(f"SELECT count(pg_terminate_backend(pid)) {holders}", name) != "0"
    rewrite(source, name, [kind])
    assert run.running(), "it was over too early"
    if kind == "retyped":  # made by then, by what it was
        run.fails(1, ["table public.retyped", "another definition", "DROP SCHEMA pgconvoy"])
    else:
        run.ok()
        s.equal(source, target, name, [*TABLES, ("public", "slow")])
    assert f"public.{kind} {SAYS}" in run.stderr and "trying again" in run.stderr, run.stderr


# the transaction that the slot being made waits for is the one that holds a lock on this table
WAITS_FOR = """SELECT count(*) FROM pg_locks AS wait JOIN pg_locks AS holds ON holds.transactionid = wait.transactionid AND holds.granted
JOIN pg_locks AS locks ON locks.pid = holds.pid AND locks.relation = '{}'::regclass WHERE wait.locktype = 'transactionid' AND NOT wait.granted"""


def of_made_slot(s, source):
    """The server looks at which transactions are running as it begins to make a slot, looks again when these have ended, and a third time when those of the second look have. What a transaction
    does to the catalog that began between the first two looks and ended before the third is unknown to transactions that began before the third, for who reads the slot: "could not map filenode"."""
    name = s.case
    source.create_database(name, SCHEMA)
    target = s.target("postgres", name=name + "_target")
    options = ["--name", name]
    session = lambda text: s.session(source, "BEGIN; " + text, name)

    def commit(session, text=""):
        session.stdin.write(text + "COMMIT;\n")
        s.end_session(session)

    before = session("INSERT INTO clustered VALUES (200);")
    if name == "slot_by_hand":
        source.sql("CREATE PUBLICATION p FOR ALL TABLES", name)
        options += ["--slot", "by_hand", "--publication", "p"]
        run = subprocess.Popen([*source.psql_command(name), "-c", "SELECT pg_create_logical_replication_slot('by_hand', 'pgoutput')"], stdout=subprocess.DEVNULL)
    else:
        run = s.sync(source.uri(name), target, *options)
    scenario.wait_for(lambda: source.sql(WAITS_FOR.format("clustered"), name) != "0", 60, "the slot waits for the first transaction")
    rewrites = session("TRUNCATE truncated;")
    commit(before)
    scenario.wait_for(lambda: source.sql(WAITS_FOR.format("truncated"), name) != "0", 60, "the slot waits for the second")
    during = session("INSERT INTO first VALUES (2);")
    commit(rewrites)
    scenario.wait_for(lambda: source.sql("SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'logical' AND confirmed_flush_lsn IS NOT NULL AND NOT temporary") == "1", 60, "the slot is there")
    if name == "slot_and_kill":  # before it has waited for the third
        run.kill()
        assert " tables as of " not in run.stderr, run.error_tail()
    commit(during, "INSERT INTO truncated VALUES (1, 'after');")
    if name == "slot_and_kill":
        run = s.sync(source.uri(name), target, *options)
    if name == "slot_by_hand":
        assert run.wait() == 0
        # without a copy all is wanted that comes behind the slot; a copy's snapshot is behind it
        if source.version >= 14:  # which have the defect
            streamed = s.target("postgres", name="streamed")
            s.pgconvoy("stream", source.uri(name), streamed.uri, "--name", "streamed", *options[2:], "--until", "caught-up").fails(
                1, ["could not map", "pgconvoy drop streamed, then sync again"])
        s.sync_until_caught_up(source.uri(name), target, *options)
        return s.equal(source, target, name, TABLES)
    scenario.wait_for(lambda: not run.running() or "streaming changes" in run.stderr, 60, "the stream begins")
    source.sql("INSERT INTO truncated VALUES (2, 'streamed')", name)
    end = source.current_lsn()
    scenario.wait_for(lambda: not run.running() or source.sql(f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots WHERE slot_name = 'pgconvoy_{name}'") == "t", 30, "it caught up")
    assert run.running(), f"it ended by itself: {run.error_tail()}"
    assert run.stop() == 0, run.error_tail()
    s.equal(source, target, name, TABLES)


def main(s):
    source = s.server()
    each = os.environ.get("REWRITES") == "each"
    if s.case == "lost_lock":
        for kind in MISSING if each else ["truncated"]:
            of_lost_lock(s, source, kind)
        return
    if s.case in ("made_slot", "slot_and_kill", "slot_by_hand"):
        return of_made_slot(s, source)
    do = of_copy if s.case == "copy" else of_sync
    if not each:
        return do(s, source, "all", list(REWRITES))
    for kind in REWRITES:
        do(s, source, "only_" + kind, [kind])


scenario.run(main, cases=("copy", "sync", "lost_lock", "made_slot", "slot_and_kill", "slot_by_hand"))
