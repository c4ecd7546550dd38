#!/usr/bin/env python3
"""Archives, pg_dump's and ours, become the script that pg_restore makes of them, and the database that it makes, by one session or by
several; what fails is reported and counted as pg_restore does; and when a session is lost the restore ends."""
import os
import re
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import dumping
import scenario
from command import PGCONVOY
from server import client, wait_for

SQL = """CREATE TABLE customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, doubled int GENERATED ALWAYS AS (id * 2) STORED);
    CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers, what text, at timestamptz DEFAULT now());
    CREATE INDEX ON orders (customer); CREATE INDEX orders_what ON orders (what);
    INSERT INTO customers (name) SELECT 'c;' || g || E'\\'\\\\"' FROM generate_series(1, 2000) AS g;
    INSERT INTO orders SELECT g, g % 2000 + 1, E'line\\nbreak\\ttab -- ' || g, '2020-01-01' FROM generate_series(1, 20000) AS g;
    CREATE TABLE measures (day date, value numeric, bits bit(3), good bool) PARTITION BY RANGE (day);
    CREATE TABLE measures_1 PARTITION OF measures FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
    CREATE TABLE measures_2 PARTITION OF measures FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
    INSERT INTO measures SELECT '2020-01-01'::date + g, 'NaN', B'101', g % 2 = 0 FROM generate_series(1, 700) AS g;
    CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS $f$ SELECT n * 2; $f$;
    CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RETURN NEW; END; $f$;
    CREATE TRIGGER noting BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION noted();
    CREATE VIEW seen AS SELECT c.name, count(*) FROM customers c JOIN orders o ON o.customer = c.id GROUP BY c.id;
    CREATE MATERIALIZED VIEW kept AS SELECT * FROM seen;
    CREATE SCHEMA "Other one"; CREATE TABLE "Other one"."a table" (a int, "b;" text); INSERT INTO "Other one"."a table" VALUES (1, 'x');
    COMMENT ON TABLE orders IS 'bought; paid'; GRANT SELECT ON orders TO restore_reader; ALTER TABLE customers OWNER TO restore_owner;
    CREATE TABLE empty (); INSERT INTO empty DEFAULT VALUES;
    SELECT lo_from_bytea(4711, repeat('large', 50000)::bytea), lo_from_bytea(4712, '');"""

WAYS = [[], ["-s"], ["-a"], ["-c"], ["-c", "--if-exists"], ["-C"], ["-C", "-c"], ["-t", "orders"], ["-a", "-t", "orders", "-t", "customers"],
        ["-n", "Other one"], ["-N", "public"], ["-I", "orders_what"], ["-P", "twice(integer)"], ["-T", "orders noting"], ["--section=pre-data"],
        ["--section=data", "--section=post-data"], ["-O", "-x"], ["--no-comments"], ["-1"], ["--use-set-session-authorization"],
        ["-a", "--disable-triggers", "-S", "restore_owner"], ["-v", "-s"], ["--enable-row-security", "-s"]]


class Restores:
    def __init__(self, s, server, programs=None):
        self.s, self.server, self.count = s, server, 0
        self.programs = programs or os.path.dirname(client("pg_restore"))
        self.commands = {"theirs": [os.path.join(self.programs, "pg_restore")], "ours": [PGCONVOY, "restore"]}
        self.archives = {}
        for who, command in (("theirs", [os.path.join(self.programs, "pg_dump")]), ("ours", [PGCONVOY, "dump"])):
            for name, options in (("custom", ["-Fc"]), ("directory", ["-Fd"]), ("tar", ["-Ft"]), ("inserts", ["-Fc", "--inserts", "--rows-per-insert=3"])):
                self.archives[who, name] = os.path.join(s.folder, f"{who}.{name}")
                subprocess.run([*command, *options, "-f", self.archives[who, name], "-d", server.socket_conninfo("shop")], check=True)

    def run(self, who, *options, stdin=subprocess.DEVNULL):
        return subprocess.run([*self.commands[who], *options], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)

    def database(self, sql=None):
        self.count += 1
        name = f"restored_{self.count}"
        self.server.sql(f"CREATE DATABASE {name} TEMPLATE template0")
        if sql:
            self.server.sql(sql, name)
        return name

    def dumped(self, database):
        """What is in a database, in the order in which it was made only where that is the same for all."""
        done = subprocess.run([os.path.join(self.programs, "pg_dump"), "-d", self.server.socket_conninfo(database)], stdout=subprocess.PIPE, check=True)
        return dumping.normal(done.stdout)


def text(s, server):
    """The same script and the same list, whatever is chosen."""
    restores, problems = Restores(s, server), []
    for (who, name), path in restores.archives.items():
        ways = WAYS if name == "custom" else [[], ["-v"]]
        for options in [*ways, ["-l"], ["-l", "-v"]]:
            output = [] if "-l" in options else ["-f", "-"]
            texts = [dumping.KEY.sub(b"", restores.run(one, *options, *output, path).stdout) for one in restores.commands]
            texts = [re.sub(rb"-- (Started|Completed) on .*", b"", text) for text in texts]
            if texts[0] != texts[1] or not texts[0]:
                problems.append(f"{who} {name} {options}")
    chosen = os.path.join(s.folder, "list")
    listed = restores.run("ours", "-l", restores.archives["ours", "custom"]).stdout.decode().splitlines()
    with open(chosen, "w") as file:
        file.write("\n".join(reversed([line for line in listed if "TABLE" in line])))
    texts = [dumping.KEY.sub(b"", restores.run(one, "-L", chosen, "-f", "-", restores.archives["ours", "custom"]).stdout) for one in restores.commands]
    if texts[0] != texts[1]:
        problems.append("a list")
    assert not problems, f"the scripts differ: {problems}"


FILTERS = {"%i": "# what is restored\ninclude table orders  # bought\ninclude index orders_what\ninclude function twice(integer)\n\ninclude trigger orders noting\n",
           "%x": "exclude schema public\n", "%s": "include schema Other one\n"}
BAD_FILTERS = ["include", "take table x", "include table", "include database x", "include extension x", "include table_data x", "include foreign_data x", "include nothing x",
               "exclude table x", "exclude trigger x", 'include table "x']
SIZES = [["--transaction-size=1"], ["--transaction-size=2", "-c"], ["--transaction-size=3", "-C"], ["--transaction-size=4", "-C", "-c", "--if-exists"],
         ["--transaction-size=1000"], ["--transaction-size=7", "-a", "--disable-triggers"], ["--transaction-size=5", "-s", "-O", "-x"]]


def newer_options(s):
    """--filter and --transaction-size, which came with 17: the script, the database, and the refusals are those of its pg_restore."""
    fetched = subprocess.run([os.path.join(scenario.TOP, "scripts/fetch-pg-dump"), "17"], stdout=subprocess.PIPE, text=True)
    if fetched.returncode == 3:
        print("SKIPPED\npg_restore 17 cannot be had here")
        return
    server = s.server(binaries=scenario.embedded_postgres(17))
    server.sql("CREATE ROLE restore_reader; CREATE ROLE restore_owner SUPERUSER; CREATE DATABASE shop TEMPLATE template0")
    server.sql(SQL, "shop")
    restores, problems = Restores(s, server, fetched.stdout.strip()), []
    ways = SIZES.copy()
    for name, text in FILTERS.items():
        path = os.path.join(s.folder, "filter" + name[1:])
        with open(path, "w") as file:
            file.write(text)
        ways.append([f"--filter={path}"])
    for who, name in (("theirs", "custom"), ("ours", "inserts")):
        for options in ways:
            texts = [dumping.KEY.sub(b"", restores.run(one, *options, "-f", "-", restores.archives[who, name]).stdout) for one in restores.commands]
            if texts[0] != texts[1] or not texts[0]:
                problems.append(f"{who} {name} {options}")
    path = os.path.join(s.folder, "bad")
    for text in BAD_FILTERS:
        with open(path, "w") as file:
            file.write(text + "\n")
        said = [restores.run(one, f"--filter={path}", "-f", "-", restores.archives["ours", "custom"]) for one in restores.commands]
        if len({(done.returncode, done.stderr) for done in said}) != 1 or said[0].returncode != 1:
            problems.append(f"filter {text!r}: {[done.stderr for done in said]}")
    want = restores.dumped("shop")
    for options in (["--transaction-size=3"], ["--transaction-size=3", "-j2"]):
        database = restores.database()
        done = restores.run("ours", *options, "-d", server.socket_conninfo(database), restores.archives["theirs", "directory"])
        if done.returncode or done.stderr or restores.dumped(database) != want:
            problems.append(f"{options}: status {done.returncode} {done.stderr[-300:]}")
    # what was done in the transactions before an error stays, and nothing comes after it
    for options in (["--transaction-size=4"], ["--transaction-size=1"]):
        left = {}
        for who in restores.commands:
            database = restores.database("CREATE TABLE orders (taken int)")
            done = restores.run(who, *options, "-d", server.socket_conninfo(database), restores.archives["theirs", "custom"])
            left[who] = (done.returncode, [line for line in done.stderr.splitlines() if b"error:" in line], restores.dumped(database))
        if left["ours"] != left["theirs"] or left["ours"][0] != 1 or b"customers" not in left["ours"][2]:
            problems.append(f"{options} into a database that has a table: {left['theirs'][:2]}, ours {left['ours'][:2]}")
    server.sql("ALTER DATABASE shop RENAME TO kept_shop")
    done = restores.run("ours", "-C", "--transaction-size=2", "-d", server.socket_conninfo("postgres"), restores.archives["theirs", "custom"])
    if done.returncode or restores.dumped("shop") != want:
        problems.append(f"--create: status {done.returncode} {done.stderr[-300:]}")
    assert not problems, "\n".join(problems)


def databases(s, server):
    """Every archive becomes the database that it came from, by one session and by several."""
    restores, problems = Restores(s, server), []
    want = restores.dumped("shop")
    for (who, name), path in restores.archives.items():
        for options in ([], ["-j3"], ["-1"]):
            database = restores.database()
            done = restores.run("ours", *options, "-d", server.socket_conninfo(database), path)
            if done.returncode or done.stderr or restores.dumped(database) != want:
                problems.append(f"{who} {name} {options}: status {done.returncode} {done.stderr[-300:]}")
    for name in ("custom", "tar"):
        database = restores.database()
        with open(restores.archives["ours", name], "rb") as file:
            done = restores.run("ours", "-d", server.socket_conninfo(database), stdin=subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE).stdout)
        if done.returncode or restores.dumped(database) != want:
            problems.append(f"{name} by standard input: status {done.returncode} {done.stderr[-300:]}")
    server.sql("ALTER DATABASE shop RENAME TO kept_shop")
    done = restores.run("ours", "-C", "-j2", "-d", server.socket_conninfo("postgres"), restores.archives["theirs", "directory"])
    if done.returncode or restores.dumped("shop") != want:
        problems.append(f"--create: status {done.returncode} {done.stderr[-300:]}")
    assert not problems, "\n".join(problems)


def errors(s, server):
    """What is refused is counted and named as pg_restore does, and the rest arrives as with it."""
    restores, problems = Restores(s, server), []
    taken = ("CREATE TABLE customers (id int PRIMARY KEY, name text, doubled int); INSERT INTO customers VALUES (77, 'here', 1);"
             "CREATE TABLE orders (id int PRIMARY KEY, customer int, what text, at timestamptz); INSERT INTO orders VALUES (10000, 1, 'here', NULL)")
    for name in ("custom", "inserts"):
        for options in ([], ["-j3"], ["-e"], ["-1"], ["-c"], ["-c", "--if-exists"], ["--no-data-for-failed-tables"], ["-O", "-x"], ["--role=restore_owner"]):
            if name == "inserts" and options not in ([], ["-j3"], ["-1"]):
                continue
            said, dumped = {}, {}
            for who in restores.commands:
                database = restores.database(taken)
                done = restores.run(who, *options, "-d", server.socket_conninfo(database), restores.archives["theirs", name])
                lines = [line for line in done.stderr.decode().splitlines() if "error:" in line or "warning:" in line]
                # several sessions of pg_restore count the entries with errors, and know no order
                said[who] = (done.returncode, sorted(line for line in lines if "-j3" not in options or "ignored" not in line))
                dumped[who] = restores.dumped(database)
            if said["ours"] != said["theirs"] or dumped["ours"] != dumped["theirs"] or (not said["ours"][1] and "--if-exists" not in options):
                problems.append(f"{name} {options}: {said['theirs'][0]} {said['theirs'][1][-3:]}, ours {said['ours'][0]} {said['ours'][1][-3:]}, "
                                f"{'same' if dumped['ours'] == dumped['theirs'] else 'other'} database")
    assert not problems, "\n".join(problems)


def big_archive(s, server):
    server.sql("CREATE TABLE big AS SELECT g, repeat('x', 200) AS filler FROM generate_series(1, 600000) AS g", "shop")
    path = os.path.join(s.folder, "big")
    s.pgconvoy("dump", "-Fd", "-Z1", "-f", path, "-d", server.socket_conninfo("shop"), bare=True).ok()
    server.sql("CREATE DATABASE lost TEMPLATE template0")
    return path


def loading(server):
    return wait_for(lambda: server.sql("SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY public.big%' AND state = 'active'"), 60,
                    "the large table is loaded")


def ended(server):
    wait_for(lambda: server.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = 'lost'") == "0", 30, "its sessions end")


def a_lost_session(s, server):
    path = big_archive(s, server)
    run = s.pgconvoy("restore", "-j2", "-d", server.socket_conninfo("lost"), path, bare=True)
    server.sql(f"SELECT pg_terminate_backend({loading(server)})")
    run.fails(1, "connection", seconds=60)
    ended(server)


def an_interrupt(s, server):
    """The server is told to stop what it does for the restore; with one transaction nothing is left."""
    path = big_archive(s, server)
    for options in (["-j2"], ["-1"]):
        run = s.pgconvoy("restore", *options, "-c", "--if-exists", "-d", server.socket_conninfo("lost"), path, bare=True)
        loading(server)
        run.send(signal.SIGINT)
        run.fails(1, "terminated by user", seconds=60)
        ended(server)


def refused(s, server):
    """What cannot work is refused before anything is done."""
    restores = Restores(s, server)
    cases = [(["-f", "-", "-d", "x"], "cannot be used together"), ([], "one of -d/--dbname and -f/--file must be specified"),
             (["-1", "-j2", "-d", "x"], "cannot specify both --single-transaction and multiple jobs"), (["-f", "-", "--if-exists"], "requires option -c/--clean"),
             (["-f", "-", "-F", "x"], "unrecognized archive format"), (["-f", "-", "--section=all"], "unrecognized section name"),
             (["-f", "-", "--strict-names", "-t", "nothing", restores.archives["ours", "custom"]], 'table "nothing" not found'),
             (["-f", "-", os.path.join(s.folder, "nothing")], "could not open input file")]
    for options, words in cases:
        done = restores.run("ours", *options)
        assert done.returncode == 1 and words in done.stderr.decode(), f"{options}: {done.returncode} {done.stderr}"
    with open(restores.archives["ours", "custom"], "rb") as file:
        done = restores.run("ours", "-j2", "-d", server.socket_conninfo("shop"), stdin=subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE).stdout)
    assert done.returncode == 1 and b"parallel restore" in done.stderr, done.stderr


def main(s):
    if s.case == "newer_options":
        newer_options(s)
        return
    server = s.server()
    server.sql("CREATE ROLE restore_reader; CREATE ROLE restore_owner SUPERUSER; CREATE DATABASE shop TEMPLATE template0")
    server.sql(SQL, "shop")
    {"text": text, "databases": databases, "errors": errors, "a_lost_session": a_lost_session,
     "an_interrupt": an_interrupt, "refused": refused}[s.case](s, server)


scenario.run(main, cases=["text", "newer_options", "databases", "errors", "a_lost_session", "an_interrupt", "refused"])
