#!/usr/bin/env python3
"""`cutover` under load: what the source has acknowledged is at the target, sequences give out no value twice, and what fails or is killed leaves a source that can be written to; the way
back loses no write either.

CUTOVER_RUNS=20 makes it that many runs long, with kills too, in each phase in turn (make check: one, without).
"""
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario
from server import client

RUNS = int(os.environ.get("CUTOVER_RUNS", "1"))
TABLES = """
CREATE TABLE log (id bigserial PRIMARY KEY, at timestamptz DEFAULT now(), v text);
CREATE TABLE counter (id int PRIMARY KEY, n int); INSERT INTO counter SELECT i, 0 FROM generate_series(1, 20) i;
"""
# Each client notes what was acknowledged.
LOAD = "INSERT INTO log (v) VALUES ('x'); UPDATE counter SET n = n + 1 WHERE id = 1 + :client_id;"


def begin(s):
    server, other = s.server(), s.server()  # wal_level = logical at both
    server.sql("CREATE DATABASE shop")
    server.sql(TABLES, "shop")
    other.sql("CREATE DATABASE shop")
    other.sql(TABLES.replace("INSERT INTO counter", "--"), "shop")
    sync = s.sync(server.uri("shop"), scenario.PostgresTarget(other, "shop"), "--name", "shop", "--if-exists", "truncate")
    live = "SELECT count(*) FROM pgconvoy.table_state WHERE state = 'live'"
    scenario.wait_for(lambda: other.sql("SELECT to_regclass('pgconvoy.table_state') IS NOT NULL", "shop") == "t" and other.sql(live, "shop") == "2", 60, "both tables are live")
    return server, other, sync


def writers(s, server):
    return [subprocess.Popen([client("pgbench"), "-n", "-c", "3", "-T", "120", "-f", script(s), server.socket_conninfo("shop")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(1)]


def script(s):
    path = os.path.join(s.folder, "load.sql")
    with open(path, "w") as file:
        file.write(LOAD.replace("; ", ";\n") + "\n")
    return path


def equal(server, other, rows="true"):
    """rows: those of the log that are at the target."""
    for query in ("SELECT count(*), sum(id), max(id) FROM log WHERE {}", "SELECT sum(n) FROM counter"):
        assert server.sql(query.format(rows), "shop") == other.sql(query.format("true"), "shop"), query
    used = int(server.sql("SELECT coalesce(max(id), 0) FROM log", "shop"))
    gives = int(other.sql("BEGIN; SELECT nextval('log_id_seq'); ROLLBACK", "shop").split("\n")[0])
    assert gives > used, f"the sequence gives {gives}, but {used} is used"
    assert gives > int(server.sql("SELECT last_value FROM log_id_seq", "shop"))


def writable(server):
    return server.sql("SHOW default_transaction_read_only", "shop") == "off"


# What the command says as it goes: each begins a phase.
PHASES = ["the target follows within", "the way back is prepared", "writes are held", "the stream is drained", "the way back begins at", "point the applications"]
SWITCH = ("cutover", "shop", "--lock-source", "--reverse", "--verify")


def said(run, phase):
    return phase in run.stderr or phase in run.stdout or not run.running()


def back_and_forth(s, server, other, backs):
    """After the switch: writes at the target come to the old source, which takes none from others, and the switch back makes it what it was."""
    sync = s.pgconvoy("stream", other.uri("shop"), server.uri("shop"), "--name", "shop_back")
    for _ in range(backs):
        before = int(other.sql("SELECT count(*) FROM log", "shop"))
        other.sql("INSERT INTO log (v) SELECT 'new' FROM generate_series(1, 40); UPDATE counter SET n = n + 1; DELETE FROM log WHERE v = 'new' AND id % 4 = 0", "shop")
        assert int(other.sql("SELECT count(*) FROM log", "shop")) > before
    scenario.wait_for(lambda: server.sql("SELECT count(*) FROM log", "shop") == other.sql("SELECT count(*) FROM log", "shop"), 60, "the writes have come back")
    assert not writable(server) and server.sql("INSERT INTO log (v) VALUES ('late')", "shop", check=False) == ""
    load = writers(s, other)
    used = other.sql("SELECT max(id) FROM log", "shop")
    scenario.wait_for(lambda: other.sql("SELECT max(id) FROM log", "shop") != used, 60, "there are writes at the target")
    run = s.pgconvoy("cutover", "shop_back", "--lock-source", "--verify").ok()
    for process in load:
        assert process.wait(30) != 0, "the load's sessions were not ended"
    assert "is writable again" in run.stderr and sync.wait(30) == 0, run.stderr
    assert writable(server) and not writable(other)
    equal(other, server)
    server.sql("INSERT INTO log (v) VALUES ('home again')", "shop")


def gone(s, server, other):
    """Nothing is left of a way back."""
    assert "pgconvoy_shop_back" not in other.slots() and "pgconvoy_shop_back" not in other.publications("shop"), other.slots()
    assert server.sql("SELECT to_regclass('pgconvoy.pipeline') IS NULL", "shop") == "t"


def one(s):
    server, other, sync = begin(s)
    load = writers(s, server)
    scenario.wait_for(lambda: int(server.sql("SELECT count(*) FROM log", "shop")) > 200, 60, "there are writes")
    dry = s.pgconvoy("cutover", "shop", "--lock-source", "--dry-run").ok()
    assert "nothing was changed" in dry.stdout and writable(server)
    s.pgconvoy("cutover", "shop", "--reverse").fails(2, "--lock-source")
    run = s.pgconvoy(*SWITCH).ok()
    for process in load:
        assert process.wait(30) != 0, "the load's sessions were not ended"
    assert "writes were held for" in run.stdout and "the pipeline is stopped" in run.stdout, run.stdout
    assert sync.wait(30) == 0
    assert not writable(server) and server.sql("INSERT INTO log (v) VALUES ('late')", "shop", check=False) == ""
    equal(server, other)
    print([line for line in run.stdout.split("\n") if "held" in line][0])
    assert "the way back is ready" in run.stdout
    back_and_forth(s, server, other, 2)


def killed(s):
    """Killed at the beginning of each phase, and a moment after it, and run again; and the way back."""
    server, other, sync = begin(s)
    load = writers(s, server)
    scenario.wait_for(lambda: int(server.sql("SELECT count(*) FROM log", "shop")) > 100, 60, "there are writes")
    for phase in PHASES:
        run = s.pgconvoy(*SWITCH)
        scenario.wait_for(lambda: said(run, phase), 60, f"it has said: {phase}")
        time.sleep(s.random.choice([0, s.random.uniform(0, 0.1)]))
        status = run.kill()
        print(f"{phase}: {status}" + ("" if status in (0, -9) else "\n" + run.error_tail()))
    s.pgconvoy(*SWITCH).ok()
    for process in load:
        process.kill()
        process.wait()
    equal(server, other)
    assert not writable(server)
    # the last run, which was not killed, has stopped the pipeline; what was written meanwhile is brought by the cutover itself
    s.pgconvoy("cutover", "shop", "--undo").ok()
    assert writable(server)
    server.sql("INSERT INTO log (v) SELECT 'more' FROM generate_series(1, 50)", "shop")
    s.pgconvoy(*SWITCH).ok()
    equal(server, other)
    back_and_forth(s, server, other, 1)


def given_up(s):
    """Asked to stop in each phase: the source is as it was, no way back is left, and the same command does it later."""
    server, other, sync = begin(s)
    load = writers(s, server)
    scenario.wait_for(lambda: int(server.sql("SELECT count(*) FROM log", "shop")) > 100, 60, "there are writes")
    for phase in PHASES[:-2]:
        run = s.pgconvoy(*SWITCH)
        scenario.wait_for(lambda: said(run, phase), 60, f"it has said: {phase}")
        status = run.stop()
        print(f"{phase}: {status}")
        if status == 0:
            return
        assert status == 1 and "given up" in run.stderr and writable(server), run.error_tail()
        gone(s, server, other)
        assert sync.running()
    s.pgconvoy(*SWITCH).ok()
    for process in load:
        process.kill()
        process.wait()
    equal(server, other)
    back_and_forth(s, server, other, 1)


def refused(s):
    """A difference, a table that is not there yet, a session that holds on: the source is as it was."""
    server, other, sync = begin(s)
    server.sql("ALTER DATABASE shop SET default_transaction_read_only = off", "shop")
    other.sql("UPDATE counter SET n = 7 WHERE id = 3", "shop")
    run = s.pgconvoy("cutover", "shop", "--lock-source", "--verify", "--wait", "10")
    assert run.wait(60) == 3 and "(id)=(3)" in run.stdout and "given up" in run.stderr, run.error_tail()
    assert writable(server) and sync.running()
    server.sql("UPDATE counter SET n = 8 WHERE id = 3", "shop")
    other.sql("UPDATE pgconvoy.table_state SET state = 'copying' WHERE table_name = 'log'", "shop")
    s.pgconvoy("cutover", "shop", "--lock-source").fails(1, ["public.log (copying)"])
    s.pgconvoy("cutover", "nothing").fails(1, ["nothing is known"])
    other.sql("UPDATE pgconvoy.table_state SET state = 'live' WHERE table_name = 'log'", "shop")
    server.sql("CREATE ROLE plain LOGIN")
    s.pgconvoy("cutover", "shop", server.uri("shop", "plain"), other.uri("shop"), "--lock-source").fails(1, ["does not own the database"])
    assert writable(server)
    setting = server.sql("SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = 'shop')")
    assert setting == "{default_transaction_read_only=off}", setting
    sync.stop()


def nobody_streams(s, server, *options):
    """A pipeline into another server, which was run once; then the source was written to."""
    other = s.server()
    other.create_database("shop")
    ends = [server.uri("shop"), other.uri("shop"), "--name", "shop"]
    s.pgconvoy("sync", *ends, *options, "--until", "caught-up").ok()
    server.sql("INSERT INTO log (v) SELECT 'late' FROM generate_series(1, 100); UPDATE counter SET n = n + 1", "shop")
    return other


def left_out(s):
    """Tables that sync left out: the switch names them, and is made without them only where that is said, also where it runs the last stretch itself."""
    server = s.server()
    place = os.path.join(s.folder, "place")
    os.mkdir(place)
    shutil.chown(place, os.stat(server.data).st_uid)
    server.sql(f"CREATE TABLESPACE fast LOCATION '{place}'")
    server.create_database("shop", TABLES + "CREATE TABLE far (id serial PRIMARY KEY, v text) TABLESPACE fast; INSERT INTO far (v) VALUES ('x')")
    other = nobody_streams(s, server, "--skip-unavailable")
    server.sql("INSERT INTO far (v) VALUES ('y')", "shop")
    s.pgconvoy("cutover", "shop", "--lock-source").fails(1, ["not at the target: public.far", "--skip-unavailable"])
    assert writable(server)
    dry = s.pgconvoy("cutover", "shop", "--lock-source", "--skip-unavailable", "--dry-run").ok()
    assert "public.far" in dry.stdout and writable(server)
    run = s.pgconvoy(*SWITCH, "--skip-unavailable")
    assert run.wait(60) == 0, run.stdout + run.error_tail()
    assert "making event triggers" not in run.stderr, run.stderr
    assert "left out, as the target does not have them: public.far" in run.stdout, run.stdout
    equal(server, other)
    assert other.sql("SELECT to_regclass('far') IS NULL", "shop") == "t"
    back_and_forth(s, server, other, 1)


def renamed(s):
    """A pipeline that gives other names: by these its tables, sequences and differences are found."""
    server = s.server()
    server.create_database("shop", TABLES)
    names = ["--map-schema", "public=store", "--map-table", "public.counter=store.counted", "--where", "public.log=id <> 3"]
    other = nobody_streams(s, server, *names)
    s.pgconvoy("cutover", "shop", "--lock-source").fails(1, ["not at the target: public.counter, public.log", "--map-schema"])
    s.pgconvoy(*SWITCH, *names).fails(1, ["no way back", "other names"])
    assert writable(server)
    other.sql("INSERT INTO store.counted VALUES (77)", "shop")
    run = s.pgconvoy("cutover", "shop", "--lock-source", "--verify", *names)
    assert run.wait(60) == 3 and "(id)=(77)" in run.stdout and writable(server), run.stdout + run.error_tail()
    other.sql("DELETE FROM store.counted WHERE id = 77", "shop")
    server.sql("INSERT INTO log (v) VALUES ('last')", "shop")
    s.pgconvoy("cutover", "shop", "--lock-source", "--verify", *names).ok()
    assert not writable(server)
    other.sql("CREATE VIEW store.counter AS SELECT * FROM store.counted; ALTER DATABASE shop SET search_path = store", "shop")
    equal(server, other, "id <> 3")
    assert other.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace", "shop") == "0"


ALONE = {"refused": refused, "left_out": left_out, "renamed": renamed}


def main(s):
    if s.case in ALONE:
        return ALONE[s.case](s)
    for _ in range(RUNS):
        {"load": one, "killed": killed, "given_up": given_up}[s.case](s)
        if RUNS > 1:
            s.close(False)
            s.__init__(s.case)


scenario.run(main, ["load", *ALONE, *(["killed", "given_up"] if "CUTOVER_RUNS" in os.environ else [])])
