#!/usr/bin/env python3
"""A dump into one stream has two sessions read a large table, and is byte for byte what one session gives; without a second session it
goes on alone; when that session is lost it fails, and leaves nothing."""
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario
from command import PGCONVOY
from server import client, wait_for

BIG = """CREATE TABLE big (id bigint, a text, n numeric, d text, doubled bigint GENERATED ALWAYS AS (id * 2) STORED, "a b" bytea);
    INSERT INTO big (id, a, n, d, "a b") SELECT g, md5(g::text), g * 1.5, repeat(chr(65 + g % 26), 60), '\\x00ff' FROM generate_series(1, 300000) AS g;
    DELETE FROM big WHERE id % 10 = 3 OR id BETWEEN 20000 AND 60000; INSERT INTO big (id, a) SELECT g, E'again\\t' FROM generate_series(1, 1000) AS g;
    CREATE TABLE toasted (id int, pad text, t text); ALTER TABLE toasted ALTER t SET STORAGE EXTERNAL;
    INSERT INTO toasted SELECT g, repeat('p', 1000), repeat(md5(g::text), 12000 * (g % 3)) FROM generate_series(1, 60) AS g;
    INSERT INTO toasted VALUES (0, '', repeat('more than is held ', 1200000));
    CREATE TABLE small (a int, b text); INSERT INTO small VALUES (1, 'tab\there'), (2, NULL);
    SELECT lo_from_bytea(4711, repeat('large', 50000)::bytea); VACUUM;"""


def stock(server, path, *options):
    subprocess.run([client("pg_dump"), *options, "-f", path, "-d", server.socket_conninfo()], check=True)


def text(path):
    """A script without what is new in each dump: the key of \\restrict. The release is Debian's, or ours."""
    with open(path, "rb") as file:
        return re.sub(rb"(?m)^\\(un)?restrict .*$|^-- Dumped (by|from).*$", b"", file.read())


def reads(server):
    """How many readings in ranges the server's log has of each table."""
    with open(server.log) as log:
        lines = [line for line in log if "COPY (SELECT" in line or "DECLARE" in line]
    return {table: sum("ctid" in line and table in line for line in lines) for table in ("big", "toasted", "small")}


def bytes_are_the_same(s, server):
    server.sql("ALTER SYSTEM SET log_statement = 'all'; SELECT pg_reload_conf()")
    for options in ([], ["--inserts"], ["--column-inserts", "-t", "toasted"]):
        one, two, theirs = (os.path.join(s.folder, name) for name in ("one", "two", "theirs"))
        s.pgconvoy("dump", *options, "-j1", "-f", one, "-d", server.socket_conninfo(), bare=True).ok()
        assert sum(reads(server).values()) == 0, "-j1 reads with one session"
        s.pgconvoy("dump", *options, "-f", two, "-d", server.socket_conninfo(), bare=True).ok()
        parts = reads(server)
        assert parts["toasted"] >= 4 and parts["small"] == 0, parts
        stock(server, theirs, *options)
        assert text(one) == text(two) == text(theirs), f"{options}: the scripts differ"
        with open(server.log, "w"):
            pass
    for options in (["-Fc"], ["-Ft"]):
        archive, again = os.path.join(s.folder, "archive"), os.path.join(s.folder, "again")
        s.pgconvoy("dump", *options, "-f", archive, "-d", server.socket_conninfo(), bare=True).ok()
        assert reads(server)["big"] >= 4, "the archive's data were read ahead too"
        subprocess.run([client("pg_restore"), "-f", again, archive], check=True)
        stock(server, theirs)
        assert text(again) == text(theirs), f"{options}: what is in the archive differs"


def without_a_session_it_goes_on(s, server):
    """A role with one connection at most; and somebody who waits for the table, behind whom nobody must queue."""
    server.sql("CREATE ROLE lonely LOGIN SUPERUSER CONNECTION LIMIT 1; ALTER ROLE lonely NOSUPERUSER; GRANT SELECT ON ALL TABLES IN SCHEMA public TO lonely")
    path, theirs = os.path.join(s.folder, "ours"), os.path.join(s.folder, "theirs")
    uri = server.socket_conninfo() + " user=lonely"
    s.pgconvoy("dump", "-B", "-f", path, "-d", uri, bare=True).ok()
    stock(server, theirs, "-B")
    assert text(path) == text(theirs)
    fifo = os.path.join(s.folder, "fifo")
    os.mkfifo(fifo)
    dump = subprocess.Popen([PGCONVOY, "dump", "-f", fifo, "-d", server.socket_conninfo()])
    with open(fifo, "rb") as reader:
        begun = reader.read(1000)
        waiting = subprocess.Popen(server.psql_command() + ["-c", "BEGIN; LOCK TABLE toasted; COMMIT"], stdout=subprocess.DEVNULL)
        wait_for(lambda: server.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") == "1", 30, "somebody waits for a table that comes later")
        begun += reader.read()
    assert dump.wait(60) == 0 and waiting.wait(60) == 0
    with open(path, "wb") as file:
        file.write(begun)
    stock(server, theirs)
    assert text(path) == text(theirs)


def stopped_while_two_read(run, server):
    """Gives the two sessions, the first one first, with the dump stopped: both have rows that it has not taken, so neither is through."""
    while True:
        run.send(signal.SIGSTOP)
        reading = server.sql("SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY (SELECT%ctid%' AND wait_event = 'ClientWrite' ORDER BY backend_start").split()
        if len(reading) == 2:
            return reading
        run.send(signal.SIGCONT)
        assert run.running(), f"it was never seen to read with two sessions\n{run.error_tail()}"
        time.sleep(0.01)


def a_lost_session_fails(s, server):
    path, fifo = os.path.join(s.folder, "path"), os.path.join(s.folder, "fifo")
    for which in (0, 1):
        run = s.pgconvoy("dump", "-Fc", "-Z9", "-f", path, "-d", server.socket_conninfo(), bare=True)
        pid = stopped_while_two_read(run, server)[which]
        assert server.sql(f"SELECT pg_terminate_backend({pid}, 10000)") == "t"
        run.send(signal.SIGCONT)
        run.fails(1, "terminat", seconds=60)
        assert not os.path.exists(path), "the failed dump has its file"
        wait_for(lambda: server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump'") == "0", 30, "its sessions end")
    os.mkfifo(fifo)
    dump = subprocess.Popen([PGCONVOY, "dump", "-f", fifo, "-d", server.socket_conninfo()])
    with open(fifo, "rb") as reader:
        reader.read(1 << 20)
    assert dump.wait(60) == -signal.SIGPIPE, "nobody reads any more"
    wait_for(lambda: server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump'") == "0", 30, "its sessions end")


def main(s):
    server = s.server({"autovacuum": "off"})
    server.sql(BIG)
    {"bytes": bytes_are_the_same, "alone": without_a_session_it_goes_on, "lost": a_lost_session_fails}[s.case](s, server)


scenario.run(main, cases=["bytes", "alone", "lost"])
