#!/usr/bin/env python3
"""One of every kind of object, also those that PostgreSQL's regression database has none of, dumped as pg_dump does (15), and on every server
restored and dumped again to the same."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import dumping
import scenario

WAYS = [[], ["-s"], ["-C", "-c", "--if-exists"], ["-c"], ["--inserts"], ["--column-inserts", "--rows-per-insert=2", "--on-conflict-do-nothing"],
        ["-a"], ["-n", "app"], ["-t", "app.*", "-T", "app.v"], ["-O", "-x"], ["-N", "app"], ["--section=post-data"], ["-B"], ["-b", "-s"],
        ["--binary-upgrade", "-s"], ["--no-unlogged-table-data"], ["--load-via-partition-root", "-a"], ["--quote-all-identifiers"], ["-v"],
        ["--disable-triggers", "-a"], ["-e", "hstore"], ["--no-publications", "--no-subscriptions", "--no-comments"], ["--enable-row-security", "-a"],
        ["--extra-float-digits=1"], ["-E", "SQL_ASCII"], ["--strict-names", "-t", '"Weird ""Schema"" ü".*'], ["--lock-wait-timeout=5s", "-s"]]


def filled(s, case):
    debian = case == "debian"
    server = s.server({"max_prepared_transactions": "2"}, None if debian else scenario.embedded_postgres(case))
    dumping.everything(server, debian)
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


scenario.run(main, cases=["debian", "12", "13", "14", "16", "17", "18"])
