#!/usr/bin/env python3
"""Privileges by several grantors, comments, security labels, configuration tables of extensions, large objects in groups and the database's own properties: dumped as pg_dump does (15), and
on every server restored and dumped again to the same."""
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

DATABASE = "hang x"
ROLES = """CREATE ROLE hang_a; CREATE ROLE hang_b; CREATE ROLE "hang ""q"; CREATE ROLE "hang, {b}\\e"; CREATE ROLE "hangü";"""
PROPERTIES = """
ALTER DATABASE "hang x" OWNER TO "hang ""q";
COMMENT ON DATABASE "hang x" IS 'it''s \\ a database';
ALTER DATABASE "hang x" SET search_path = "A b", public, 'it''s';
ALTER DATABASE "hang x" SET temp_tablespaces = '';
ALTER DATABASE "hang x" SET "app.thing" = 'a''b';
ALTER DATABASE "hang x" CONNECTION LIMIT 17;
ALTER ROLE hang_a IN DATABASE "hang x" SET statement_timeout = 1000;
ALTER ROLE hang_a IN DATABASE "hang x" SET enable_seqscan = off;
ALTER ROLE "hang ""q" IN DATABASE "hang x" SET search_path = 'x', "y z";
GRANT CREATE ON DATABASE "hang x" TO hang_a WITH GRANT OPTION;
REVOKE TEMP ON DATABASE "hang x" FROM PUBLIC;
ALTER DATABASE "hang x" IS_TEMPLATE true;
"""
WAYS = [[], ["-C"], ["-s", "-C", "-c"], ["-C", "-c", "--if-exists"], ["-a"], ["-x"], ["-O"], ["--no-comments"], ["-n", "own"], ["-n", "public"],
        ["-t", "own.t"], ["-N", "public"], ["--use-set-session-authorization"], ["--quote-all-identifiers", "-C"], ["-s", "--binary-upgrade", "-C"],
        ["-n", "pg_catalog", "-s"], ["--section=data"]]
WITH_LABELS = [[], ["-C"], ["--no-security-labels", "-C"], ["-s", "--binary-upgrade", "-C"], ["-e", "hstore"], ["-e", "hstore", "-n", "own"], ["-t", "own.config_a"],
               ["-T", "own.config_parent"], ["-N", "own"], ["--exclude-table-data=own.config_child"], ["-a", "--inserts"], ["-n", "own", "-a"]]


def psql(server, file, major):
    with open(os.path.join(HERE, file), encoding="utf-8") as lines:
        kept = [line for line in lines if not (match := re.search(r"--@ (\d+)\+", line)) or major >= int(match[1])]
    done = subprocess.run([client("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", server.socket_conninfo(f"'{DATABASE}'")], text=True,
                          input="".join(kept), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr


def main(s):
    debian = s.case == "debian"
    server = s.server(None, None if debian else scenario.embedded_postgres(s.case))
    server.sql(ROLES)
    server.sql(f'CREATE DATABASE "{DATABASE}"')
    psql(server, "hangs.sql", server.version)
    for line in PROPERTIES.strip().splitlines():
        server.sql(line)
    pair = dumping.Pair(s, server, f"'{DATABASE}'")
    for options in WAYS if debian else []:
        pair.compare(" ".join(options) or "no options", options)
    for options in ([], ["-Fc"]):
        pair.round_trip(" ".join(options) or "plain", options)
    if debian:
        psql(server, "labels.sql", server.version)
        for options in WITH_LABELS:
            pair.compare("labelled " + " ".join(options), options)
        pair.archive("labelled archive", ["-Fc", "-C"])
    pair.done()


scenario.run(main, cases=["debian", "12", "13", "14", "16", "17", "18"])
