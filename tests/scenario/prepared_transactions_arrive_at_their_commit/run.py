#!/usr/bin/env python3
"""A slot with two_phase sends transactions when they are prepared. They are seen at the target when they commit, and only then, also when
pgconvoy is killed in between; what is rolled back is never seen. A slot without it sends them at their commit. With --two-phase they are
prepared at the target, too, each once, wherever pgconvoy is killed."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = "CREATE TABLE items (id int PRIMARY KEY, n int, note text); CREATE PUBLICATION ours FOR TABLE items; INSERT INTO items VALUES (0, 0, 'first');"
# The large ones are streamed before they are prepared.
PREPARE = """
BEGIN; INSERT INTO items VALUES (1, 1, 'small'); SAVEPOINT a; INSERT INTO items VALUES (2, 2, 'no'); ROLLBACK TO a; UPDATE items SET n = 5 WHERE id = 0;
PREPARE TRANSACTION 'small';
BEGIN; INSERT INTO items SELECT i, i, 'large' FROM generate_series(10001, 12000) AS i; UPDATE items SET n = n + 1 WHERE id > 11000; PREPARE TRANSACTION 'large';
BEGIN; INSERT INTO items SELECT i, i, 'no' FROM generate_series(20001, 22000) AS i; PREPARE TRANSACTION 'large, given up';
BEGIN; INSERT INTO items VALUES (3, 3, 'no'); PREPARE TRANSACTION 'small, given up';
"""
END = "COMMIT PREPARED 'large'; ROLLBACK PREPARED 'large, given up'; COMMIT PREPARED 'small'; ROLLBACK PREPARED 'small, given up';"
SETTINGS = {"max_prepared_transactions": "20", "logical_decoding_work_mem": "64kB"}
AS_PREPARED = ["--name", "it", "--two-phase"]


def at_their_commit(s):
    source = s.server(SETTINGS)
    source.sql(TABLES)
    target = s.target("postgres")
    two_phase = "true" if s.case == "two_phase" else "false"
    source.sql(f"SELECT pg_create_logical_replication_slot('ours', 'pgoutput', false, {two_phase})")
    options = ["--name", "it", "--publication", "ours", "--slot", "ours"]
    s.sync_until_caught_up(source.uri(), target, *options)

    run = s.sync(source.uri(), target, *options)
    source.sql(PREPARE)
    for number in range(3):
        source.sql(f"INSERT INTO items VALUES ({100 + number}, 0, 'beside')")
        scenario.wait_for(lambda: target.query("SELECT count(*) FROM items WHERE note = 'beside'") == str(number + 1), 60, "the stream goes on")
        if number == 1:
            run.stop()  # tells the slot how far it is, as a kill does not
        else:
            run.kill()
        run = s.sync(source.uri(), target, *options)
    assert target.query("SELECT count(*), sum(n) FROM items") == "4|0"
    source.sql(END)
    scenario.wait_for(lambda: target.query("SELECT count(*) FROM items WHERE note = 'small'") == "1", 60, "the prepared transactions arrive")
    s.equal(source, target)
    assert run.stop() == 0, run.error_tail()
    before = source.current_lsn()
    source.sql("INSERT INTO items VALUES (200, 0, 'after')")
    s.sync_until_caught_up(source.uri(), target, *options)
    s.equal(source, target)
    slot_is_behind_nothing(source, before)


def slot_is_behind_nothing(source, lsn):
    scenario.wait_for(lambda: source.sql(f"SELECT confirmed_flush_lsn >= '{lsn}' FROM pg_replication_slots") == "t", 60, "the slot stays behind nothing")


# ---- as prepared

def prepared(target):
    """The source's names of what is prepared at the target."""
    return target.query("SELECT coalesce(string_agg(split_part(gid, '/', 2), ';' ORDER BY gid COLLATE \"C\"), '') FROM pg_prepared_xacts "
                        "WHERE database = current_database()").split(";")


def are_prepared(target, *names):
    scenario.wait_for(lambda: sorted(name for name in prepared(target) if name) == sorted(names), 60, f"{names} are prepared")


def nothing_is_left(target):
    are_prepared(target)
    assert target.query("SELECT count(*) FROM pgconvoy.prepared") == "0"


def as_prepared(s):
    source = s.server(SETTINGS)
    source.sql(TABLES)
    target = s.target("postgres")
    run = s.sync(source.uri(), target, *AS_PREPARED)
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "the stream begins")
    source.sql(PREPARE)
    source.sql("INSERT INTO items VALUES (100, 0, 'beside')")
    scenario.wait_for(lambda: target.query("SELECT count(*) FROM items WHERE note = 'beside'") == "1", 60, "the stream goes on")
    are_prepared(target, "small", "large", "large, given up", "small, given up")
    assert target.query("SELECT count(*), sum(n) FROM items") == "2|0"
    # what is prepared holds nothing back; and what ends while nobody looks ends when somebody does
    before = source.current_lsn()
    assert run.stop() == 0, run.error_tail()
    source.sql("COMMIT PREPARED 'large'; ROLLBACK PREPARED 'large, given up'")
    run = s.sync(source.uri(), target, *AS_PREPARED)
    are_prepared(target, "small", "small, given up")
    slot_is_behind_nothing(source, before)
    assert target.query("SELECT count(*) FROM items WHERE note = 'large'") == "2000"
    scenario.wait_for(lambda: '"prepared":2' in s.pgconvoy("status", "it", "--json").ok().stdout, 60, "status tells of them")
    assert "2 on the target that have not ended" in s.pgconvoy("status", "it").ok().stdout
    assert run.stop() == 0, run.error_tail()
    # only a stream that knows of them may go on, and nobody else takes over
    s.pgconvoy("sync", source.uri(), target.uri, "--name", "it").fails(1, ["2 prepared transactions", "--two-phase"])
    source.sql("COMMIT PREPARED 'small'; ROLLBACK PREPARED 'small, given up'")
    s.pgconvoy("cutover", "it", source.uri(), target.uri).fails(1, ["the target has prepared transactions", "/small", "--two-phase"])
    s.pgconvoy("subscribe", source.uri(), target.uri, "--name", "it", "--from-sync").fails(1, ["prepared transactions on the target", "--two-phase"])
    s.sync_until_caught_up(source.uri(), target, *AS_PREPARED)
    s.equal(source, target)
    nothing_is_left(target)
    # one that is left is rolled back with the pipeline
    source.sql("BEGIN; UPDATE items SET n = -1; PREPARE TRANSACTION 'left'")
    s.sync_until_caught_up(source.uri(), target, *AS_PREPARED)
    are_prepared(target, "left")
    drop = s.pgconvoy("drop", source.uri(), target.uri, "--name", "it").ok()
    assert "is rolled back there" in drop.stderr and "/left" in drop.stderr, drop.stderr
    are_prepared(target)
    assert target.query("SELECT to_regnamespace('pgconvoy') IS NULL") == "t"


# Each is prepared, given up or committed.
KINDS = {
    "a large update": "UPDATE items SET n = n + 1, note = repeat('x', 100)",
    "a truncate": "TRUNCATE items; INSERT INTO items VALUES (7, 7, 'after it')",
    "a command": "ALTER TABLE items ADD more int; UPDATE items SET more = n",
    "nothing for the target": "INSERT INTO elsewhere.unseen VALUES (1)",
}


def as_prepared_of_every_kind(s):
    """With several connections that apply."""
    source = s.server(SETTINGS)
    source.sql("CREATE TABLE items (id int PRIMARY KEY, n int, note text); INSERT INTO items SELECT i, i, 'note' FROM generate_series(1, 3000) AS i;"
               "CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.unseen (id int PRIMARY KEY)")
    target = s.target("postgres")
    options = [*AS_PREPARED, "-N", "elsewhere", "--apply-jobs", "3"]
    run = s.sync(source.uri(), target, *options)
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "the stream begins")
    for name, sql in KINDS.items():
        for end in ("ROLLBACK", "COMMIT"):
            source.sql(f"BEGIN; {sql}; PREPARE TRANSACTION 'it''s {name}'")
            if name in ("a truncate", "a large update"):
                are_prepared(target, f"it's {name}")
            source.sql(f"{end} PREPARED 'it''s {name}'")
        source.sql("INSERT INTO items (id) VALUES (5000); DELETE FROM items WHERE id = 5000")
    # names that are too long, or not for every encoding, are left out of the target's
    for number, name in enumerate(("x" * 190, "Überweisung")):
        source.sql(f"BEGIN; INSERT INTO items (id) VALUES ({6000 + number}); PREPARE TRANSACTION '{name}'")
        scenario.wait_for(lambda: target.query("SELECT gid LIKE 'pgconvoy%\\_it' FROM pg_prepared_xacts WHERE database = current_database()") == "t", 60, "it is prepared")
        source.sql(f"COMMIT PREPARED '{name}'")
        are_prepared(target)
    assert run.stop() == 0, run.error_tail()
    assert "changes definitions" in run.stderr
    run = s.sync_until_caught_up(source.uri(), target, *options)
    s.equal(source, target, tables=[("public", "items")])
    nothing_is_left(target)


def waiting_for(source, session):
    """A slot that is being made waits for the session's transaction to end."""
    return source.sql("SELECT count(*) FROM pg_locks w JOIN pg_locks h USING (transactionid) JOIN pg_stat_activity a ON a.pid = h.pid "
                      f"WHERE NOT w.granted AND h.granted AND a.application_name = '{session}'") == "1"


def prepared_before_the_snapshot(s, source, target, sql, *options):
    """A snapshot is taken while a transaction is prepared that began after its making did: neither is it in it, nor waited for."""
    sessions = [s.session(source, "SET application_name = 'old 1'; BEGIN; SELECT txid_current();")]
    scenario.wait_for(lambda: source.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'old 1' AND backend_xid IS NOT NULL") == "1", 60, "it is open")
    run = s.sync(source.uri(), target, *options)
    scenario.wait_for(lambda: waiting_for(source, "old 1"), 60, "the slot is being made")
    sessions.append(s.session(source, "SET application_name = 'old 2'; BEGIN; SELECT txid_current();"))
    scenario.wait_for(lambda: source.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'old 2' AND backend_xid IS NOT NULL") == "1", 60, "it is open")
    s.end_session(sessions[0])
    scenario.wait_for(lambda: waiting_for(source, "old 2"), 60, "the slot waits for the next")
    source.sql(sql)
    s.end_session(sessions[1])
    return run


def as_prepared_while_tables_are_copied(s):
    """Before the first copy's snapshot, and before that of a table which comes later."""
    source = s.server(SETTINGS)
    source.sql("CREATE TABLE items (id int PRIMARY KEY, n int, note text); INSERT INTO items VALUES (0, 0, 'first')")
    target = s.target("postgres")
    skip = ["--skip-check", "long_transactions", "--skip-check", "prepared_transactions"]
    run = prepared_before_the_snapshot(s, source, target, "BEGIN; UPDATE items SET n = 1; INSERT INTO items VALUES (1, 1, 'kept'); PREPARE TRANSACTION 'kept';"
                                       "BEGIN; INSERT INTO items VALUES (2, 2, 'no'); PREPARE TRANSACTION 'given up'", *AS_PREPARED, *skip)
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "the stream begins")
    source.sql("COMMIT PREPARED 'kept'; ROLLBACK PREPARED 'given up'")
    scenario.wait_for(lambda: target.query("SELECT count(*) FROM items WHERE note = 'kept'") == "1", 60, "it arrives")
    assert run.stop() == 0, run.error_tail()
    s.equal(source, target)
    source.sql("CREATE TABLE more (id int PRIMARY KEY, n int); INSERT INTO more VALUES (0, 0)")
    run = prepared_before_the_snapshot(s, source, target, "BEGIN; UPDATE items SET n = 2; INSERT INTO more VALUES (1, 1); UPDATE more SET n = 2; PREPARE TRANSACTION 'both';"
                                       "BEGIN; INSERT INTO items VALUES (3, 3, 'old'); PREPARE TRANSACTION 'of a table that was there'", *AS_PREPARED, *skip)
    scenario.wait_for(lambda: "it is applied when it is committed" in run.stderr or not run.running(), 60, "it comes at its commit")
    are_prepared(target, "of a table that was there")
    source.sql("COMMIT PREPARED 'both'; COMMIT PREPARED 'of a table that was there'")
    scenario.wait_for(lambda: target.query("SELECT count(*) FROM items WHERE note = 'old'") == "1", 60, "they arrive")
    assert run.stop() == 0, run.error_tail()
    s.sync_until_caught_up(source.uri(), target, *AS_PREPARED)
    s.equal(source, target)
    nothing_is_left(target)


# What is stored about a prepared transaction cannot be, as long as the step is in away.now.
FAILS = """
CREATE SCHEMA away; CREATE TABLE away.now (step text);
CREATE FUNCTION away.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF EXISTS (SELECT FROM away.now WHERE step = TG_ARGV[0]) THEN RAISE EXCEPTION 'not now: %', TG_ARGV[0] USING ERRCODE = '40001'; END IF;
  RETURN coalesce(NEW, OLD); END $$;
CREATE TRIGGER a BEFORE INSERT ON pgconvoy.prepared FOR EACH ROW WHEN (NEW.committed) EXECUTE FUNCTION away.fail('before the prepare');
CREATE TRIGGER b BEFORE INSERT ON pgconvoy.prepared FOR EACH ROW WHEN (NOT NEW.committed) EXECUTE FUNCTION away.fail('before its position');
CREATE TRIGGER c BEFORE DELETE ON pgconvoy.prepared FOR EACH ROW EXECUTE FUNCTION away.fail('before the position of its end');
ALTER TABLE pgconvoy.prepared ENABLE ALWAYS TRIGGER a; ALTER TABLE pgconvoy.prepared ENABLE ALWAYS TRIGGER b; ALTER TABLE pgconvoy.prepared ENABLE ALWAYS TRIGGER c;
"""


def as_prepared_interrupted(s):
    """By a kill between each of the steps."""
    source = s.server(SETTINGS)
    source.sql(TABLES)
    target = s.target("postgres")
    s.sync_until_caught_up(source.uri(), target, *AS_PREPARED)
    target.query(FAILS)

    def killed_at(step, sql):
        target.query(f"INSERT INTO away.now VALUES ('{step}')")
        run = s.sync(source.uri(), target, *AS_PREPARED)
        source.sql(sql)
        scenario.wait_for(lambda: f"not now: {step}" in run.stderr or not run.running(), 60, f"it fails {step}")
        run.kill()
        target.query("DELETE FROM away.now")

    def goes_on(*names):
        s.sync_until_caught_up(source.uri(), target, *AS_PREPARED)
        are_prepared(target, *names)

    killed_at("before the prepare", "BEGIN; INSERT INTO items VALUES (1, 1, 'a'); UPDATE items SET n = n + 1 WHERE id = 0; PREPARE TRANSACTION 'a'")
    are_prepared(target)
    killed_at("before its position", "BEGIN; INSERT INTO items VALUES (2, 1, 'b'); PREPARE TRANSACTION 'b'")
    are_prepared(target, "a")  # the row of the first is what fails
    goes_on("a", "b")
    killed_at("before its position", "BEGIN; INSERT INTO items VALUES (3, 1, 'c'); PREPARE TRANSACTION 'c'")
    are_prepared(target, "a", "b", "c")
    killed_at("before the position of its end", "COMMIT PREPARED 'a'")
    are_prepared(target, "b", "c")
    assert target.query("SELECT n FROM items WHERE id IN (0, 1)") == "1\n1"
    goes_on("b", "c")
    killed_at("before the position of its end", "ROLLBACK PREPARED 'b'; COMMIT PREPARED 'c'")
    are_prepared(target, "c")
    goes_on()
    s.equal(source, target)
    nothing_is_left(target)
    # what somebody else has ended at the target as the source does is done, otherwise the target is not the source any more
    def by_hand(command):
        target.query(f"{command} '" + target.query("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()") + "'")

    source.sql("BEGIN; INSERT INTO items VALUES (5, 1, 'e'); PREPARE TRANSACTION 'e'")
    goes_on("e")
    by_hand("COMMIT PREPARED")
    source.sql("COMMIT PREPARED 'e'")
    goes_on()
    s.equal(source, target)
    nothing_is_left(target)
    source.sql("BEGIN; INSERT INTO items VALUES (4, 1, 'd'); PREPARE TRANSACTION 'd'")
    goes_on("d")
    by_hand("ROLLBACK PREPARED")
    source.sql("COMMIT PREPARED 'd'")
    s.sync(source.uri(), target, *AS_PREPARED, "--until", "caught-up").fails(1, ["committed at the source, and rolled back on the target by somebody else"])


def as_prepared_killed_at_random(s):
    """Some transactions commit, others are prepared and end later, in any order; each has a lane of rows that nobody else writes then."""
    source = s.server(SETTINGS)
    source.sql("CREATE TABLE items (id serial PRIMARY KEY, lane int, n int, note text); INSERT INTO items (lane, n) SELECT i % 30, i FROM generate_series(1, 900) AS i;"
               "CREATE TABLE other (id serial PRIMARY KEY, lane int UNIQUE, n int); INSERT INTO other (lane, n) SELECT i, i FROM generate_series(0, 29) AS i")
    target = s.target("postgres")
    s.sync_until_caught_up(source.uri(), target, *AS_PREPARED)
    run = s.sync(source.uri(), target, *AS_PREPARED)
    waiting, kills = {}, 0
    for step in range(400):
        lane = s.random.choice([lane for lane in range(30) if lane not in waiting.values()])
        rows = s.random.choice([1, 5, 1000])
        sql = (f"BEGIN; INSERT INTO items (lane, n, note) SELECT {lane}, i, 'step {step}' FROM generate_series(1, {rows}) AS i; SAVEPOINT a; DELETE FROM items WHERE lane = {lane}; ROLLBACK TO a;"
               f"UPDATE items SET n = n + 1 WHERE lane = {lane} AND id % 3 = {step % 3}; DELETE FROM items WHERE lane = {lane} AND id % 50 = {step % 50};"
               f"DELETE FROM other WHERE lane = {lane}; INSERT INTO other (lane, n) VALUES ({lane}, {step});")
        if len(waiting) < 8 and s.random.random() < 0.5:
            source.sql(f"{sql} PREPARE TRANSACTION 'step {step}'")
            waiting[f"step {step}"] = lane
        else:
            source.sql(f"{sql} COMMIT")
        for name in [name for name in waiting if s.random.random() < 0.1]:
            source.sql(f"{s.random.choice(['COMMIT', 'COMMIT', 'ROLLBACK'])} PREPARED '{name}'")
            del waiting[name]
        if s.random.random() < 0.1:
            run.kill()
            kills += 1
            run = s.sync(source.uri(), target, *AS_PREPARED, *s.random.choice([[], ["--apply-jobs", "3"]]))
    assert run.stop() == 0, run.error_tail()
    s.sync_until_caught_up(source.uri(), target, *AS_PREPARED)
    are_prepared(target, *waiting)
    s.equal(source, target)
    for name in waiting:
        source.sql(f"COMMIT PREPARED '{name}'")
    s.sync_until_caught_up(source.uri(), target, *AS_PREPARED)
    s.equal(source, target)
    nothing_is_left(target)
    print(f"{kills} kills")


def no_room(s):
    """More are prepared than the target has room for: that is said, and heals with the setting. Into a table of another name."""
    source = s.server(SETTINGS)
    source.sql(TABLES)
    elsewhere = s.server({"max_prepared_transactions": "1"})
    target = s.target("postgres", elsewhere)
    run = s.sync(source.uri(), target, *AS_PREPARED, "--map-table", "public.items=things")
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "the stream begins")
    source.sql("BEGIN; INSERT INTO items VALUES (1, 1, 'a'); PREPARE TRANSACTION 'a'; BEGIN; INSERT INTO items VALUES (2, 1, 'b'); PREPARE TRANSACTION 'b'")
    scenario.wait_for(lambda: "maximum number of prepared transactions reached" in run.stderr or not run.running(), 60, "it is said")
    are_prepared(target, "a")
    with open(os.path.join(elsewhere.data, "postgresql.conf"), "a") as conf:
        conf.write("max_prepared_transactions = 20\n")
    elsewhere.restart("immediate")
    are_prepared(target, "a", "b")
    source.sql("COMMIT PREPARED 'b'; COMMIT PREPARED 'a'")
    scenario.wait_for(lambda: target.query("SELECT count(*) FROM things") == "3", 60, "they arrive")
    assert run.stop() == 0, run.error_tail()
    assert target.query("TABLE things ORDER BY id") == source.sql("TABLE items ORDER BY id")
    nothing_is_left(target)


def other_versions(s):
    """14 cannot, and says so; 16 to 18 can, as 15 does."""
    for major in (14, 16, 17, 18):
        source = s.server(SETTINGS, scenario.embedded_postgres(major))
        source.sql(TABLES)
        target = s.target("postgres", source, f"target{major}")
        options = ["--name", f"it{major}", "--two-phase"]
        if major == 14:
            s.pgconvoy("sync", source.uri(), target.uri, *options).fails(1, ["--two-phase", "15 is the first"])
            assert source.slots() == {}
            continue
        s.sync_until_caught_up(source.uri(), target, *options)
        source.sql(PREPARE)
        s.sync_until_caught_up(source.uri(), target, *options)
        are_prepared(target, "small", "large", "large, given up", "small, given up")
        source.sql(END)
        s.sync_until_caught_up(source.uri(), target, *options)
        s.equal(source, target)
        nothing_is_left(target)
        source.stop()


def refused(s):
    """What stands against it is named before anything is changed."""
    source = s.server()
    source.sql(TABLES)
    target = s.target("postgres")

    def sync(*options, to=target.uri):
        return s.pgconvoy("sync", source.uri(), to, "--two-phase", *options)

    sync().fails(1, ["max_prepared_transactions is 0", "ALTER SYSTEM"])
    found = json.loads(s.pgconvoy("check", source.uri(), target.uri, "--two-phase", "--json").wait() and s.runs[-1].stdout)
    assert [item["status"] for item in found["items"] if item["item"] == "max_prepared_transactions"] == ["failed"], found
    sync(to="-").fails(2, "--two-phase cannot be had with this target")
    sync("--spool", s.folder).fails(2, "--two-phase cannot be had with --spool")
    sync("--origin", "none").fails(2, "--two-phase cannot be had with --origin none")
    sync("--on-conflict", "last-write").fails(2, "--two-phase cannot be had with --on-conflict last-write")
    assert source.slots() == {} and target.query("SELECT to_regnamespace('pgconvoy') IS NULL") == "t"


def main(s):
    at_their_commit(s) if s.case in ("two_phase", "at_commit") else globals()[s.case](s)


# SCENARIO_FULL=1: also those that last.
scenario.run(main, cases=["two_phase", "at_commit", "as_prepared", "as_prepared_of_every_kind", "as_prepared_interrupted",
                          "as_prepared_while_tables_are_copied", "refused"] +
             (["as_prepared_killed_at_random", "no_room", "other_versions"] if os.environ.get("SCENARIO_FULL") else []))
