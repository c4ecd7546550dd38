#!/usr/bin/env python3
"""A parallel dump cuts a large table in ranges, which together are the table; and when one of its sessions is lost, finds a table
locked, or has no room on the disk, the dump ends at once, says why, and leaves nothing that looks whole."""
import glob
import gzip
import os
import signal
import subprocess
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario
from server import client, wait_for

BIG = """CREATE TABLE big (id bigint, a text, n numeric, d text);
    INSERT INTO big SELECT g, md5(g::text), g * 1.5, repeat(chr(65 + g % 26), 60) FROM generate_series(1, 1000000) AS g;
    DELETE FROM big WHERE id % 10 = 3; INSERT INTO big SELECT g, 'again', NULL, '' FROM generate_series(1, 1000) AS g;
    CREATE TABLE small (a int, b text); INSERT INTO small VALUES (1, 'tab\there'), (2, NULL);
    CREATE TABLE empty (a int); CREATE TABLE "no columns" ();
    SELECT lo_from_bytea(4711, repeat('large', 50000)::bytea);"""


def dump(s, server, *options):
    return s.pgconvoy("dump", "-Fd", *options, "-d", server.socket_conninfo(), bare=True)


def data(folder):
    """{file: bytes} of a dump's data, uncompressed."""
    files = {}
    for path in glob.glob(os.path.join(folder, "*")):
        name = os.path.basename(path)
        if name != "toc.dat":
            with (gzip.open if name.endswith(".gz") else open)(path, "rb") as file:
                files[name.removesuffix(".gz")] = file.read()
    return files


def ranges(s, server):
    """The cut table is the uncut one, byte by byte, compressed or not, as COPY or as INSERT, and pg_restore takes it."""
    for way in ([], ["-Z0"], ["-Z0", "--inserts"]):
        one, two = (os.path.join(s.folder, f"dump{jobs}{''.join(way)}") for jobs in (1, 2))
        dump(s, server, "-f", one, *way, "-j1").ok()
        server.sql("ALTER SYSTEM SET log_statement = 'all'; SELECT pg_reload_conf()")
        dump(s, server, "-f", two, *way, "-j2").ok()
        server.sql("ALTER SYSTEM RESET log_statement; SELECT pg_reload_conf()")
        whole, cut = data(one), data(two)
        assert whole == cut, f"{way}: the dumps differ in {[name for name in whole if whole[name] != cut.get(name)]}"
    with open(server.log) as log:
        parts = sum("ctid" in line and "big" in line for line in log)
    assert parts >= 6, f"the large table was read in {parts} parts"
    server.sql("CREATE DATABASE again")
    subprocess.run([client("pg_restore"), "-d", server.socket_conninfo("again"), os.path.join(s.folder, "dump2")], check=True)
    count = "SELECT count(*), sum(id), sum(hashtext(big::text)) FROM big"
    assert server.sql(count) == server.sql(count, "again")


def first_member(packed):
    """The length of the first gzip member of a file that has several."""
    unpacker = zlib.decompressobj(31)
    unpacker.decompress(packed)
    assert unpacker.eof and unpacker.unused_data, "the file has one member only"
    return len(packed) - len(unpacker.unused_data)


def a_cut_file(s, server):
    """A file that was cut where a part of it ends (between two members, after a row, a command or a large object's line) is not taken for whole: the table and the place are named, and no row is kept."""
    server.sql("SELECT lo_from_bytea(4712, 'small'); CREATE DATABASE again")
    for way, table in (([], "big"), (["-Z0"], "small"), (["-Z0", "--inserts"], "small"), (["-Z0"], "large objects")):
        folder = os.path.join(s.folder, f"cut{''.join(way)}{table[:3]}")
        dump(s, server, "-f", folder, "-j2", *way, *(["-b", "-t", "empty"] if "objects" in table else ["-t", table])).ok()
        paths = glob.glob(os.path.join(folder, "blobs.toc" if "objects" in table else "[0-9]*"))
        assert len(paths) == 1, f"which file is it? {paths}"
        with open(paths[0], "rb") as file:
            whole = file.read()
        cut = first_member(whole) if not way else whole.index(b"\n") + 1
        os.truncate(paths[0], cut)
        into = ["-d", server.socket_conninfo("again")]
        for target in (["-f", os.path.join(s.folder, "text")], into, ["-j2", "-c", "--if-exists", *into])[:3 if way else 2]:
            run = s.pgconvoy("restore", *target, folder, bare=True)
            run.fails(1, [table] if "objects" in table else [f'"public.{table}"', os.path.basename(paths[0]), f"at offset {cut}"], seconds=60)
            assert not os.path.exists(os.path.join(s.folder, "text")), "the script looks whole"
        if "--inserts" not in way and "objects" not in table:
            assert server.sql(f"SELECT count(*) FROM {table}", "again") == "0", "rows of a cut file were kept"


def reading_big(server):
    return server.sql("SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY (SELECT%big%' AND state = 'active'").split("\n")[0]


def failed_dump(s, folder, run, says):
    run.fails(1, says, seconds=60)
    assert not os.path.exists(os.path.join(folder, "toc.dat")), "the failed dump has its contents"


def nobody_left(server):
    wait_for(lambda: server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump'") == "0", 30, "its sessions end")


def a_lost_session(s, server):
    folder = os.path.join(s.folder, "dump")
    run = dump(s, server, "-f", folder, "-j2", "-Z9")
    pid = wait_for(lambda: reading_big(server), 30, "a session reads the large table")
    server.sql(f"SELECT pg_terminate_backend({pid})")
    failed_dump(s, folder, run, ["\"big\"", "connection"])
    nobody_left(server)


def a_waiting_lock(s, server):
    """Another session waits for an exclusive lock on a table that is read later: waiting behind it would never end."""
    folder = os.path.join(s.folder, "dump")
    run = dump(s, server, "-f", folder, "-j2", "-Z9")
    wait_for(lambda: reading_big(server), 30, "a session reads the large table")
    waiting = subprocess.Popen(server.psql_command() + ["-c", "BEGIN; LOCK TABLE small; COMMIT"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        failed_dump(s, folder, run, "could not obtain lock on relation")
        nobody_left(server)
    finally:
        waiting.wait(30)


def a_signal(s, server):
    """SIGINT and SIGTERM cancel what each session waits for at the server: reading these tables, three at once, would last an hour, and a row is what would tell the server that nobody listens."""
    server.sql("CREATE ROLE reader LOGIN;" + "".join(f"CREATE TABLE slow_{n} AS SELECT 1 AS a; GRANT SELECT ON slow_{n} TO reader; ALTER TABLE slow_{n} ENABLE ROW LEVEL SECURITY;"
                                                     f"CREATE POLICY slowly ON slow_{n} USING (pg_sleep(3600)::text = 'never');" for n in (1, 2, 3)))
    for number in (signal.SIGINT, signal.SIGTERM):
        for options, sessions in ((["-Fd", "-j3"], 3), (["-Fc"], 1)):
            path = os.path.join(s.folder, f"dump{number}{options[0]}")
            run = s.pgconvoy("dump", *options, "-f", path, "-t", "slow_*", "--enable-row-security", "-d", server.socket_conninfo(user="reader"), bare=True)
            wait_for(lambda: server.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == str(sessions), 30, f"{sessions} sessions read")
            run.send(number)
            run.fails(1, "terminated by user", seconds=20)
            nobody_left(server)
            assert not os.path.isfile(path) and not os.path.exists(os.path.join(path, "toc.dat")), f"{options}: it looks whole"


def a_full_disk(s, server):
    if os.geteuid() != 0:
        print("SKIPPED: mounting a small disk needs root")
        return
    with scenario.mounted(os.path.join(s.folder, "disk"), "size=5m", lazy=True) as disk:
        for options in (["-Fd", "-j2", "-Z1"], ["-Fd", "-j1", "-Z0"], ["-Fc"], ["-Ft"], ["-Fp"]):
            path = os.path.join(disk, "dump")
            run = s.pgconvoy("dump", *options, "-f", path, "-d", server.socket_conninfo(), bare=True)
            run.fails(1, "space", seconds=60)
            assert not os.path.isfile(path) and not os.path.exists(os.path.join(path, "toc.dat")), f"{options}: it looks whole"
            nobody_left(server)
            subprocess.run(["find", disk, "-mindepth", "1", "-delete"], check=True)
        whole, text = os.path.join(s.folder, "whole"), os.path.join(disk, "text")
        dump(s, server, "-f", whole, "-Z1").ok()
        s.pgconvoy("restore", "-f", text, whole, bare=True).fails(1, "space", seconds=60)
        assert not os.path.exists(text), "the script looks whole"


def main(s):
    server = s.server()
    if s.case != "a_signal":
        server.sql(BIG)
    {"ranges": ranges, "a cut file": a_cut_file, "a lost session": a_lost_session, "a waiting lock": a_waiting_lock, "a full disk": a_full_disk, "a signal": a_signal}[s.case.replace("_", " ")](s, server)


scenario.run(main, cases=["ranges", "a_cut_file", "a_lost_session", "a_waiting_lock", "a_full_disk", "a_signal"])
