#!/usr/bin/env python3
"""One of every kind of object, also those that PostgreSQL's regression database has none of, dumped as pg_dump does (15), and on every server
restored and dumped again to the same."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import dumping
import scenario
from server import client

ROLES = "CREATE ROLE dump_owner; CREATE ROLE dump_reader; CREATE ROLE dump_other; CREATE ROLE dump_super SUPERUSER;"
WAYS = [[], ["-s"], ["-C", "-c", "--if-exists"], ["-c"], ["--inserts"], ["--column-inserts", "--rows-per-insert=2", "--on-conflict-do-nothing"],
        ["-a"], ["-n", "app"], ["-t", "app.*", "-T", "app.v"], ["-O", "-x"], ["-N", "app"], ["--section=post-data"], ["-B"], ["-b", "-s"],
        ["--binary-upgrade", "-s"], ["--no-unlogged-table-data"], ["--load-via-partition-root", "-a"], ["--quote-all-identifiers"], ["-v"],
        ["--disable-triggers", "-a"], ["-e", "hstore"], ["--no-publications", "--no-subscriptions", "--no-comments"], ["--enable-row-security", "-a"],
        ["--extra-float-digits=1"], ["-E", "SQL_ASCII"], ["--strict-names", "-t", '"Weird ""Schema"" ü".*'], ["--lock-wait-timeout=5s", "-s"]]


def text(major, debian):
    """The SQL files beside this, for a server."""
    lines, sources = [], []
    for name in ("everything.sql", "types.sql", "tables.sql"):
        with open(os.path.join(HERE, name), encoding="utf-8") as file:
            sources += file
    for line in sources:
        body, _, note = line.rstrip("\n").partition("--@")
        words = note.split()
        wanted = "never" not in words and ("debian" not in words or debian)
        for word in words:
            if match := re.fullmatch(r"(\d+)\+", word):
                wanted = wanted and major >= int(match[1])
        if wanted:
            lines.append(body)
    return "\n".join(lines)


def filled(s, case):
    debian = case == "debian"
    server = s.server({"max_prepared_transactions": "2"}, None if debian else scenario.embedded_postgres(case))
    server.sql(ROLES)
    server.sql("CREATE DATABASE everything; ALTER DATABASE everything SET work_mem = '5MB'; ALTER ROLE dump_reader IN DATABASE everything SET search_path = app, public;"
               "COMMENT ON DATABASE everything IS 'all of it'; GRANT CONNECT ON DATABASE everything TO dump_reader")
    done = subprocess.run([client("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", server.socket_conninfo("everything")], text=True,
                          input=text(server.version, debian), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    return server


def main(s):
    server = filled(s, s.case)
    pair = dumping.Pair(s, server, "everything")
    if s.case == "debian":
        for options in WAYS:
            pair.compare(" ".join(options) or "no options", options)
    for options in ([], ["-Fc"], ["-Fd"]):
        pair.round_trip(" ".join(options) or "plain", options)
    pair.done()


scenario.run(main, cases=["debian", "13", "14", "16", "17", "18"])
