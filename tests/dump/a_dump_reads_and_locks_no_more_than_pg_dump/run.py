#!/usr/bin/env python3
"""What a dump may see and lock, and how it ends when it may not: snapshots, row security, locks and their timeouts, foreign tables, tablespaces, security labels, extensions, a
standby as the source, broken archives, a dump that is killed."""
import os
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import dumping
import scenario
import stand_in_server
from command import PGCONVOY
from server import TOP, Server, client, quote_literal, wait_for

ROWS = "CREATE TABLE t (id int PRIMARY KEY, who text); INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, 10) AS g;"


def dump(s, server, *options, user="postgres", database="postgres"):
    return s.pgconvoy("dump", *options, "-d", server.socket_conninfo(database, user), bare=True)


def snapshot(s, server):
    """An exported snapshot sees its rows only, over one connection and over two."""
    server.sql(ROWS)
    session = s.session(server, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 'snapshot ' || pg_export_snapshot() AS name \\gset\n"
                        f"\\! true\n\\o {s.folder}/name\n\\qecho :name\n\\o\n")
    with open(os.path.join(s.folder, "name")) as file:
        name = file.read().split()[-1]
    server.sql("INSERT INTO t VALUES (11, 'later'); CREATE TABLE later (a int)")
    for options in ([], ["-Fd", "-j2", "-f", os.path.join(s.folder, "dump")]):
        run = dump(s, server, f"--snapshot={name}", *options).ok()
        text = run.stdout if not options else subprocess.run([client("pg_restore"), "-f", "-", options[-1]], stdout=subprocess.PIPE, text=True).stdout
        assert "row 10" in text and "later" not in text, f"{options}: the dump has what came after its snapshot"
    s.end_session(session)
    dump(s, server, "--snapshot=00000003-0000001B-1").fails(1, "snapshot")


def row_security(s, server):
    """Who may not pass by row security is refused, unless a dump of what that user sees was asked for."""
    server.sql(ROWS + "CREATE ROLE seer LOGIN; GRANT SELECT ON t TO seer; ALTER TABLE t ENABLE ROW LEVEL SECURITY; "
               "CREATE POLICY few ON t FOR SELECT TO seer USING (id <= 3)")
    dump(s, server, user="seer").fails(1, "row-level security policy for table \"t\"")
    for options in ([], ["--inserts"]):
        text = dump(s, server, "--enable-row-security", *options, user="seer").ok().stdout
        assert "row 3" in text and "row 4" not in text, f"{options}: not the rows that seer sees"
    pair = dumping.Pair(s, server, "postgres")
    pair.compare("as the owner", [])
    pair.compare("with row security", ["--enable-row-security"])
    pair.done()


def locks(s, server):
    """While it waits for a table it holds ACCESS SHARE and nothing else, and its timeout ends it with the table's name."""
    server.sql(ROWS + "CREATE TABLE z (a int); CREATE VIEW v AS SELECT * FROM t; CREATE SEQUENCE q; CREATE MATERIALIZED VIEW m AS SELECT 1 AS a; CREATE TABLE p (a int) PARTITION BY LIST (a)")
    session = s.session(server, "BEGIN; LOCK TABLE z IN ACCESS EXCLUSIVE MODE;")
    run = dump(s, server)
    held = ("SELECT DISTINCT mode FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'pg_dump' "
            "AND locktype NOT IN ('virtualxid', 'transactionid')")
    wait_for(lambda: server.sql("SELECT 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'pg_dump' AND NOT granted"), 30,
             "the dump waits for the table")
    assert server.sql(held) == "AccessShareLock", server.sql(held)
    assert run.running()
    for options in (["--lock-wait-timeout=300"], ["--lock-wait-timeout=300ms", "-Fd", "-j2", "-f", os.path.join(s.folder, "dump")]):
        dump(s, server, *options).fails(1, ["timeout", '"public"."z"'], seconds=20)
    s.end_session(session)
    run.ok()
    session = s.session(server, "BEGIN; SELECT 1 FROM t FOR UPDATE; INSERT INTO t VALUES (100, 'open');")
    assert "open" not in dump(s, server, "--lock-wait-timeout=2s").ok(20).stdout, "rows that are not committed"
    s.end_session(session)


def foreign(s, server):
    """Data of foreign tables come with --include-foreign-data, and only those of the servers that it names."""
    server.create_database("far", ROWS)
    server.sql(f"""CREATE EXTENSION postgres_fdw;
        CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host {quote_literal(server.folder)}, port '{server.port}', dbname 'far');
        CREATE SERVER nowhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', dbname 'far');
        CREATE USER MAPPING FOR postgres SERVER loop OPTIONS (user 'postgres'); CREATE USER MAPPING FOR postgres SERVER nowhere OPTIONS (user 'postgres');
        CREATE FOREIGN TABLE far_t (id int OPTIONS (column_name 'id'), who text) SERVER loop OPTIONS (table_name 't');
        CREATE FOREIGN TABLE nowhere_t (id int) SERVER nowhere""")
    pair = dumping.Pair(s, server, "postgres")
    for options in ([], ["--include-foreign-data=loop"], ["--include-foreign-data=lo*", "--inserts"], ["--include-foreign-data=loop", "-a"]):
        pair.compare(" ".join(options) or "without data", options)
    pair.archive("archive", ["-Fc", "--include-foreign-data=loop"])
    pair.done()
    assert "row 10" in dump(s, server, "--include-foreign-data=loop").ok().stdout
    dump(s, server, "--include-foreign-data=nowhere").fails(1, "nowhere")
    dump(s, server, "--include-foreign-data=nosuch").fails(1, "no matching foreign servers were found for pattern \"nosuch\"")


def tablespaces(s, server):
    """Tables, indexes, materialized views and a database in tablespaces."""
    folder = os.path.join(server.folder, "space")
    subprocess.run(server.user_prefix + ["mkdir", folder], check=True)
    server.sql(f"CREATE TABLESPACE \"a space\" LOCATION {quote_literal(folder)}")
    server.sql("CREATE DATABASE spaced TABLESPACE \"a space\"")
    server.sql(ROWS + """CREATE TABLE s (id int PRIMARY KEY USING INDEX TABLESPACE "a space", u int UNIQUE) TABLESPACE "a space"; CREATE INDEX i ON s (u) TABLESPACE "a space";
        CREATE MATERIALIZED VIEW m TABLESPACE "a space" AS SELECT 1 AS a; CREATE TABLE p (a int) PARTITION BY LIST (a) TABLESPACE "a space";
        CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2) TABLESPACE pg_default;
        ALTER TABLE t SET TABLESPACE "a space";""")
    for database in ("postgres", "spaced"):
        if database == "spaced":
            server.sql("CREATE TABLE s (a int); CREATE TABLE d (a int) TABLESPACE pg_default", "spaced")
        pair = dumping.Pair(s, server, database)
        for options in ([], ["-C"], ["--no-tablespaces"], ["-C", "-c", "--no-tablespaces"]):
            pair.compare(f"{database} {' '.join(options)}", options)
        pair.archive(database, ["-Fc", "-C"])
        pair.done()


def labels(s, server):
    """Security labels of a real provider, one that PostgreSQL has for its own tests: dumped, and restored to the same."""
    prepared = subprocess.run([os.path.join(TOP, "scripts/prepare-postgres-tests")], stdout=subprocess.PIPE, text=True)
    if prepared.returncode == 3:
        print("SKIPPED")
        return
    library = os.path.join(server.folder, "dummy_seclabel.so")
    headers = subprocess.run([client("pg_config"), "--includedir-server"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    subprocess.run(["gcc", "-O1", "-fPIC", "-shared", "-I", headers, "-o", library,
                    prepared.stdout.strip() + "/source/src/test/modules/dummy_seclabel/dummy_seclabel.c"], check=True)
    server.sql(f"ALTER SYSTEM SET shared_preload_libraries = {quote_literal(library)}")
    server.restart()
    server.sql("CREATE ROLE labelled; SECURITY LABEL FOR dummy ON ROLE labelled IS 'classified'")
    server.create_database("secret", ROWS + """CREATE SCHEMA "S x"; CREATE VIEW "S x".v AS SELECT * FROM t; CREATE DOMAIN d AS int; CREATE SEQUENCE q; SELECT lo_create(99);
        CREATE FUNCTION f(int, OUT text) LANGUAGE sql AS 'SELECT $1::text'; CREATE PUBLICATION pub FOR TABLE t; CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
        SECURITY LABEL FOR dummy ON DATABASE secret IS 'top secret'; SECURITY LABEL FOR dummy ON TABLE t IS 'secret'; SECURITY LABEL FOR dummy ON COLUMN t.who IS 'classified';
        SECURITY LABEL FOR dummy ON SCHEMA "S x" IS 'unclassified'; SECURITY LABEL FOR dummy ON VIEW "S x".v IS 'classified'; SECURITY LABEL FOR dummy ON DOMAIN d IS 'secret';
        SECURITY LABEL FOR dummy ON SEQUENCE q IS 'secret'; SECURITY LABEL FOR dummy ON LARGE OBJECT 99 IS 'classified'; SECURITY LABEL FOR dummy ON FUNCTION f(int) IS 'secret';
        SECURITY LABEL FOR dummy ON PUBLICATION pub IS 'classified'; SECURITY LABEL FOR dummy ON MATERIALIZED VIEW m IS 'secret'""")
    pair = dumping.Pair(s, server, "secret")
    for options in ([], ["-C"], ["--no-security-labels", "-C"], ["-n", '"S x"'], ["-a"], ["-s"]):
        pair.compare(" ".join(options) or "no options", options)
    pair.archive("archive", ["-Fc", "-C"])
    pair.round_trip("plain", [])
    pair.round_trip("archive", ["-Fc"])
    pair.done()
    assert dump(s, server, database="secret").ok().stdout.count("SECURITY LABEL FOR dummy ON") == 10


def extensions(s, server):
    """Every extension that the server has, with what it makes, beside pg_dump."""
    names = server.sql("SELECT name FROM pg_available_extensions ORDER BY 1").split("\n")
    server.create_database("contrib")
    for name in names:
        server.sql(f'CREATE EXTENSION IF NOT EXISTS "{name}" CASCADE', "contrib", check=False)
    made = server.sql("SELECT count(*) FROM pg_extension", "contrib")
    print(f"{made} of {len(names)} extensions")
    assert int(made) > 30
    server.sql("CREATE TABLE uses (h hstore, c citext, l ltree, q cube, s seg, i isn, n int4[], EXCLUDE USING gist (q WITH &&));"
               "CREATE INDEX ON uses USING gin (n gin__int_ops); CREATE INDEX ON uses USING gist (l); INSERT INTO uses VALUES ('a=>1', 'X', 'a.b', '(1,2)', '1 .. 2')"
               .replace("i isn, ", "i isbn, "), "contrib")
    pair = dumping.Pair(s, server, "contrib")
    for options in ([], ["-s"], ["-e", "hstore"], ["--binary-upgrade", "-s"], ["-n", "public"], ["-x", "-O", "-c"]):
        pair.compare(" ".join(options) or "no options", options)
    pair.archive("archive", ["-Fc"])
    pair.round_trip("plain", [])
    pair.done()


def under_pg_dumpall(s, server):
    """pg_dumpall runs the pg_dump beside it: ours, under that name, when the environment has it say the version that pg_dumpall wants."""
    server.create_database("one", ROWS)
    server.create_database("two", "CREATE TABLE b (a int); INSERT INTO b VALUES (1)")
    folder = os.path.join(s.folder, "bin")
    os.mkdir(folder)
    shutil.copy(client("pg_dumpall"), folder)
    shutil.copy(PGCONVOY, os.path.join(folder, "pg_dump"))
    words, text = ["-d", server.socket_conninfo()], {}
    version = subprocess.run([client("pg_dump"), "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip().removeprefix("pg_dump (PostgreSQL) ")
    for who, where in (("theirs", os.path.dirname(client("pg_dumpall"))), ("ours", folder)):
        done = subprocess.run([os.path.join(where, "pg_dumpall"), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              env={**os.environ, "PGCONVOY_PG_DUMP_VERSION": version})
        assert done.returncode == 0, done.stderr.decode()
        text[who] = done.stdout
    pair = dumping.Pair(s, server, "postgres")
    pair.same("all databases", text["theirs"], text["ours"])
    pair.done()
    done = subprocess.run([os.path.join(folder, "pg_dumpall"), *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "version" in done.stderr, "without it pg_dumpall refuses ours"


class Standby(Server):
    """A server made from another one's base backup."""

    def __init__(self, folder, source):
        self.source = source
        super().__init__(folder, {"hot_standby": "on", "primary_conninfo": quote_literal(source.socket_conninfo())})

    def _make_data(self, initdb_options):
        subprocess.run(self.user_prefix + ["pg_basebackup", "-D", self.data, "-c", "fast", "-d", self.source.socket_conninfo()], check=True)
        subprocess.run(self.user_prefix + ["touch", os.path.join(self.data, "standby.signal")], check=True)


def standby(s, server):
    """A standby is dumped as its primary is, but for the rows of unlogged tables, which it has not."""
    server.sql(ROWS + "CREATE UNLOGGED TABLE u (a int); INSERT INTO u VALUES (1); CREATE SEQUENCE q; SELECT nextval('q'); SELECT lo_from_bytea(77, 'abc')")
    other = Standby(os.path.join(s.folder, "standby"), server)
    s.servers.append(other)
    wait_for(lambda: other.sql("SELECT count(*) FROM t", check=False) == "10", 30, "the standby has the rows")
    pair = dumping.Pair(s, other, "postgres")
    for options in ([], ["-C"], ["--inserts"]):
        pair.compare(" ".join(options) or "no options", options)
    pair.archive("two jobs", ["-Fd", "-j2"])
    primary = subprocess.run([*pair.commands["ours"], "--no-unlogged-table-data", "-d", server.socket_conninfo()], stdout=subprocess.PIPE, check=True).stdout
    pair.same("the primary", primary, pair.dump("ours", []))
    pair.done()


def broken(s, server):
    """A truncated or damaged archive is refused by name; it is never taken for a whole one, whatever byte it ends at."""
    server.sql(ROWS)
    for form in ("-Fc", "-Ft"):
        path = os.path.join(s.folder, "whole" + form)
        dump(s, server, form, "-f", path).ok()
        with open(path, "rb") as file:
            whole = file.read()
        cuts = [0, 3, 5, 11, 40, len(whole) // 4, len(whole) // 2, len(whole) * 3 // 4] + ([len(whole) - 5] if form == "-Fc" else [])
        for cut in cuts:
            part = os.path.join(s.folder, "part")
            with open(part, "wb") as file:
                file.write(whole[:cut])
            run = s.pgconvoy("restore", "-f", "-", part, bare=True)
            assert run.wait(20) == 1, f"{form} cut at {cut} of {len(whole)}: status {run.status}: {run.error_tail()}"
            assert run.stderr.strip(), f"{form} cut at {cut}: not a word"
            print(f"{form} cut at {cut}: {run.last_line()}")


def killed(s, server):
    """A dump that is killed or interrupted leaves nothing under its file's name, and a file that was there as it was."""
    server.sql(ROWS + "CREATE TABLE z (a int)")
    session = s.session(server, "BEGIN; LOCK TABLE z IN ACCESS EXCLUSIVE MODE;")
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        for form in ("-Fp", "-Fc", "-Ft"):
            path = os.path.join(s.folder, f"dump{number}{form}")
            with open(path, "w") as file:
                file.write("before")
            run = dump(s, server, form, "-f", path)
            wait_for(lambda: server.sql("SELECT 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'pg_dump' AND NOT granted"), 30,
                     "the dump waits for the table")
            run.send(number)
            assert run.wait(20) != 0
            with open(path) as file:
                assert file.read() == "before", f"{form}: a killed dump changed the file"
            wait_for(lambda: server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump' AND wait_event_type = 'Lock'") == "0" or
                     server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pg_dump'"), 30, "its session ends")
    s.end_session(session)


def a_missing_owner(s, server):
    """What belongs to a role that is gone ends the dump, with pg_dump's words, whether or not it was to be dumped."""
    kinds = {"table": "CREATE TABLE owned ()", "schema": "CREATE SCHEMA owned", "large object": "SELECT lo_create(4711)", "function": "CREATE FUNCTION owned() RETURNS int LANGUAGE sql AS 'SELECT 1'",
             "type": "CREATE TYPE owned AS ENUM ()", "publication": "CREATE PUBLICATION owned",
             "text search configuration": "CREATE TEXT SEARCH CONFIGURATION owned (COPY = simple)", "server": "CREATE FOREIGN DATA WRAPPER owned"}
    few = 8 if os.environ.get("DUMP_FULL") else 3
    for number, (kind, sql) in enumerate(list(kinds.items())[:few]):
        name = server.create_database(f"left_{number}", f"CREATE ROLE gone_{number} SUPERUSER; SET ROLE gone_{number}; {sql}; RESET ROLE;")
        server.sql(f"DELETE FROM pg_authid WHERE rolname = 'gone_{number}'")
        pair = dumping.Pair(s, server, name)
        said = {}
        for who, command in pair.commands.items():
            done = subprocess.run([*command, "-f", os.path.join(s.folder, "left"), "-d", server.socket_conninfo(name)], stderr=subprocess.PIPE, text=True)
            said[who] = (done.returncode, [line for line in done.stderr.splitlines() if "error:" in line])
        assert said["ours"] == said["theirs"] and "does not exist" in str(said["theirs"]), f"{kind}: {said}"
        assert not os.path.exists(os.path.join(s.folder, "left")), "the file looks whole"


def other_versions(s, _):
    """A server that is too old is refused by name before it is asked anything; of one that is newer than known it is said that something may be missing."""
    for version in ("11.22", "9.4.26"):
        old = stand_in_server.StandIn(os.path.join(s.folder, "old" + version), version)
        run = s.pgconvoy("dump", "-f", os.path.join(s.folder, "dump"), "-d", old.conninfo(), bare=True)
        run.fails(1, [f"the server has version {version}", "only servers from 12 on can be dumped", "hint:"])
        old.close()
        assert not old.queries, f"it was asked {old.queries}"
        assert not os.path.exists(os.path.join(s.folder, "dump"))
    server = s.server(binaries=scenario.embedded_postgres(18))
    server.sql(ROWS)
    new = stand_in_server.StandIn(os.path.join(s.folder, "new"), "19.0", os.path.join(server.folder, f".s.PGSQL.{server.port}"))
    texts = []
    for conninfo in (new.conninfo(), server.socket_conninfo()):
        run = s.pgconvoy("dump", "--restrict-key=k", "-d", conninfo, bare=True).ok()
        texts.append(dumping.normal(open(run.stdout_path, "rb").read()))
        warned = "warning: the server has version 19.0, newer than 18" in run.stderr
        assert warned == (len(texts) == 1), run.stderr
    new.close()
    assert texts[0] == texts[1] and b"CREATE TABLE" in texts[0], "the dumps differ"


CASES = [under_pg_dumpall, snapshot, labels, row_security, locks, foreign, tablespaces, extensions, standby, broken, killed, a_missing_owner, other_versions]


def main(s):
    server = s.server() if s.case != "other_versions" else None
    {case.__name__: case for case in CASES}[s.case](s, server)


scenario.run(main, cases=[case.__name__ for case in CASES])
