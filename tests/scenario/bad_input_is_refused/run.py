#!/usr/bin/env python3
"""Each wrong thing ends at once, with status 1 (2 for the command line), says what and on what, and creates nothing at either end."""
import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario
import targets

TABLE = "CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'one')"


def refuse(s, source, target, status, says, *options, uri=None, arguments=None):
    """The sync is refused, within 20 s, in one sentence that has these words; nothing is there that was not before."""
    slots, publications = set(source.slots()), source.publications()
    existed = target.exists() if target else None
    arguments = arguments or ["sync", uri or source.uri(), target.uri]
    run = s.pgconvoy(*arguments, *options, "--until", "caught-up", target=target)
    run.fails(status, says, seconds=20)
    lines = [line for line in run.stderr.split("\n") if line.strip()]
    assert len(lines) <= 6, "too many words:\n" + run.stderr
    assert set(source.slots()) == slots, f"slots were left: {source.slots()}"
    assert source.publications() == publications, f"publications were left: {source.publications()}"
    if target is not None:
        assert target.exists() == existed, "something was left in the target"
    return run


def usage(s):
    source = s.server()
    source.sql(TABLE)
    target = s.target("duckdb")
    for arguments in (["sync"], ["sync", source.uri()], ["nonsense", source.uri(), target.uri],
                      ["sync", source.uri(), target.uri, "third"], ["sync", source.uri(), "nosuch:file"],
                      ["sync", source.uri(), target.uri, "--no-such-option"],
                      ["sync", source.uri(), target.uri, "--memory", "much"],
                      ["sync", source.uri(), target.uri, "--jobs", "0x"],
                      ["sync", source.uri(), target.uri, "--until", "tomorrow"],
                      ["sync", source.uri(), target.uri, "--if-exists", "perhaps"],
                      ["sync", source.uri(), target.uri, "--progress", "loud"],
                      ["sync", source.uri(), target.uri, "--memory"]):
        run = s.pgconvoy(*arguments, bare=True)
        run.fails(2, [], seconds=10)
        assert not target.exists() and source.slots() == {}, arguments
    s.pgconvoy("sync", "mysql://localhost/x", target.uri).wait(20) in (1, 2) or sys.exit("mysql was accepted")
    assert not target.exists()


def connection(s):
    source = s.server()
    source.sql(TABLE + "; CREATE ROLE plain LOGIN")
    target = s.target("duckdb")
    closed = scenario.Server.uri(source, port=1)
    refused = refuse(s, source, target, 1, ["127.0.0.1", "1"], uri=closed)
    assert "Is the server" not in refused.stderr, "a question, and its answer again:\n" + refused.stderr
    refuse(s, source, target, 2, "nonsense", uri=source.uri() + "?nonsense=1")
    refuse(s, source, target, 1, "no_such_database", uri=source.uri("no_such_database"))
    refuse(s, source, target, 1, "nobody_here", uri=source.uri(user="nobody_here"))
    refuse(s, source, target, 1, "no.such.host", uri="postgresql://no.such.host.invalid/x")
    secret = refuse(s, source, target, 1, [], uri=source.uri("no_such_database").replace("postgres@", "postgres:s3cr3t@"))
    assert "s3cr3t" not in secret.stderr, "a password was shown"


def tables(s):
    source = s.server()
    target = s.target("duckdb")
    refuse(s, source, target, 1, "table")  # none at all
    source.sql(TABLE)
    refuse(s, source, target, 1, "no_such_table", "-t", "no_such_table")
    refuse(s, source, target, 1, "no_such_schema", "-n", "no_such_schema")


def publication(s):
    source = s.server()
    source.sql(TABLE + "; CREATE PUBLICATION theirs FOR TABLE t WITH (publish = 'insert')")
    target = s.target("duckdb")
    source.sql("SELECT pg_create_logical_replication_slot('theirs', 'test_decoding')")
    refuse(s, source, target, 1, ["theirs", "test_decoding"], "--slot", "theirs")


def privilege(s):
    source = s.server()
    source.sql(TABLE + "; CREATE ROLE plain LOGIN; GRANT SELECT ON t TO plain; GRANT CREATE ON DATABASE postgres TO plain;"
               "CREATE ROLE replicator LOGIN REPLICATION; GRANT CREATE ON DATABASE postgres TO replicator")
    target = s.target("duckdb")
    refuse(s, source, target, 1, ["plain", "replication"], uri=source.uri(user="plain"))
    # may replicate, but not read the table or put it into a publication
    refuse(s, source, target, 1, "t", uri=source.uri(user="replicator"))


def wal_level(s):
    source = s.server({"wal_level": "replica"})
    source.sql(TABLE)
    refuse(s, source, s.target("duckdb"), 1, "wal_level")


def no_free_slot(s):
    source = s.server({"max_replication_slots": "1"})
    source.sql(TABLE + "; SELECT pg_create_physical_replication_slot('taken')")
    refuse(s, source, s.target("duckdb"), 1, "max_replication_slots")


def slot_in_use(s):
    """A pipeline that begins does not take a slot that another reads from, and copies nothing first."""
    source = s.server()
    source.sql(TABLE)
    first = s.sync(source.uri(), s.target("duckdb", name="first"), "--name", "one")
    scenario.wait_for(lambda: source.sql("SELECT active FROM pg_replication_slots") == "t" or not first.running(), 60, "it streams")
    # with a state folder of its own, as on another machine
    other = os.path.join(s.folder, "other-state")
    for kind in scenario.SINKS:
        refuse(s, source, s.target(kind), 1, ["pgconvoy_one", "in use"], "--name", "one", "--state-dir", other)
    assert first.running() and first.stop() == 0, first.error_tail()


def no_room(s):
    """A disk without room for even an empty database: no file is left."""
    if os.geteuid() != 0:
        print("SKIPPED: mounting a small disk needs root")
        return
    source = s.server()
    source.sql(TABLE)
    with scenario.mounted(os.path.join(s.folder, "full"), "size=64k") as folder:
        with open(os.path.join(folder, "filler"), "wb") as file:
            file.write(bytes(60 * 1024))
        refuse(s, source, targets.DuckdbTarget(os.path.join(folder, "x.duckdb")), 1, ["space", "room"])
        assert os.listdir(folder) == ["filler"], os.listdir(folder)


def no_identity(s):
    source = s.server()
    source.sql(TABLE + "; CREATE TABLE \"A Heap\" (id int, n int); INSERT INTO \"A Heap\" VALUES (1, 1)")
    source.sql("UPDATE \"A Heap\" SET n = 2")
    # statistics of other sessions come a little later
    scenario.wait_for(lambda: source.sql("SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'A Heap'") == "1", 20,
                      "the update is counted")
    refuse(s, source, s.target("duckdb"), 1, ["A Heap", "replica identity", 'ALTER TABLE public."A Heap" REPLICA IDENTITY FULL'])


def table_in_the_way(s):
    source = s.server()
    source.sql(TABLE)
    for kind in ("duckdb", "postgres"):
        target = s.target(kind)
        create = "CREATE TABLE public.t (id int, mine text)"
        if kind == "duckdb":
            targets.duckdb_query(target.path, f"CREATE SCHEMA IF NOT EXISTS public;\n{create};\n"
                                 "INSERT INTO public.t VALUES (7, 'mine');\n", write=True)
        else:
            target.query(create + "; INSERT INTO public.t VALUES (7, 'mine')")
        refuse(s, source, target, 1, ["t", "if-exists"])
        mine = target.query("SELECT mine FROM public.t")
        assert mine == "mine", f"the table in the way was changed: {mine}"
    # the target is the source itself
    refuse(s, source, targets.PostgresTarget(source, "postgres"), 1, [])


def not_a_database(s):
    source = s.server()
    source.sql(TABLE)
    target = s.target("duckdb")
    with open(target.path, "w") as file:
        file.write("this is no DuckDB database\n" * 1000)
    refuse(s, source, target, 1, target.path)
    assert open(target.path).read() == "this is no DuckDB database\n" * 1000, "the file was changed"
    folder = targets.DuckdbTarget(s.folder)
    refuse(s, source, folder, 1, s.folder)
    missing = targets.DuckdbTarget(os.path.join(s.folder, "no/such/folder/x.duckdb"))
    refuse(s, source, missing, 1, "no/such/folder")


def read_only_folder(s):
    source = s.server()
    source.sql(TABLE)
    folder = os.path.join(s.folder, "read-only")
    os.mkdir(folder, 0o555)
    # root may write anywhere, but for a file system that is read-only
    with scenario.mounted(folder, "ro,size=1m") if os.geteuid() == 0 else contextlib.nullcontext():
        refuse(s, source, targets.DuckdbTarget(os.path.join(folder, "x.duckdb")), 1, folder)
        refuse(s, source, s.target("stdout"), 1, folder, "--state-dir", os.path.join(folder, "state"))


def closed_output(s):
    """Standard output that nobody reads, or that cannot take any more, ends it with a reason, not with a signal."""
    source = s.server()
    source.sql("CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 20000) AS i")
    run = s.pgconvoy("sync", source.uri(), "-", "--until", "caught-up", stdout="/dev/full")
    run.fails(1, "space", seconds=60)


CASES = {function.__name__: function for function in (usage, connection, tables, publication, privilege, wal_level, no_free_slot, slot_in_use, no_room,
                                                      no_identity, table_in_the_way, not_a_database, read_only_folder, closed_output)}
scenario.run(lambda s: CASES[s.case](s), cases=list(CASES))
