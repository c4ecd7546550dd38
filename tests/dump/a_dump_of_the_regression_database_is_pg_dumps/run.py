#!/usr/bin/env python3
"""The database that PostgreSQL's regression tests leave behind, dumped by pg_dump and by us: not a line differs, whatever the options, and archives
restore to the same.

It needs Debian's source package of PostgreSQL (scripts/prepare-postgres-tests) and is skipped, with that word, where it cannot be had.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import dumping
import scenario
from server import TOP, Server

PLAIN = {
    "schema": ["--schema-only"],
    "data": [],
    "inserts": ["--inserts"],
    "create": ["-s", "-C"],
    "clean": ["-s", "-c", "--if-exists", "-C"],
    "clean without if-exists": ["-s", "-c"],
    "bare": ["-s", "-O", "-x", "--no-comments", "--no-security-labels", "--no-publications", "--no-subscriptions", "--no-tablespaces"],
    "no methods": ["-s", "--no-table-access-method", "--no-toast-compression"],
    "quoted": ["-s", "--quote-all-identifiers"],
    "no dollars": ["-s", "--disable-dollar-quoting"],
    "upgrade": ["-s", "--binary-upgrade"],
    "pre-data": ["--section=pre-data"],
    "data section": ["--section=data"],
    "post-data": ["--section=post-data"],
    "data only": ["-a", "--disable-triggers", "-S", "postgres"],
    "through the root": ["-a", "--load-via-partition-root"],
    "columns": ["--column-inserts", "--rows-per-insert=7", "--on-conflict-do-nothing", "-t", "onek*", "-t", "*_tbl"],
    "row security": ["--enable-row-security", "-n", "regress_rls_schema"],
    "one schema": ["-n", "public", "-N", "pg*", "-T", "*_p*", "-B"],
    "without one": ["-N", "public", "--exclude-table-data=*"],
    "strict names": ["--strict-names", "-n", "public", "-t", "*.tenk1"],
    "serializable": ["--serializable-deferrable", "-s", "-t", "onek*"],
    "large objects": ["-a", "-b", "-t", "onek|nosuch*"],
    "session authorization": ["-s", "--use-set-session-authorization"],
    "verbose": ["-s", "-v", "-n", "public"],
}
ARCHIVES = {
    "custom": ["-Fc"],
    "custom, not compressed": ["-Fc", "-Z0"],
    "directory": ["-Fd"],
    "directory, two jobs": ["-Fd", "-j2"],
    "tar": ["-Ft"],
}


class Regression(Server):
    """A copy of the prepared cluster."""

    def __init__(self, folder, prepared):
        self.prepared = prepared
        super().__init__(folder, {"autovacuum": "off", "max_locks_per_transaction": "256"})

    def _make_data(self, initdb_options):
        subprocess.run(self.user_prefix + ["cp", "-a", "--reflink=auto", self.prepared, self.data], check=True)


def restored(pair, server):
    """Our dump into a new database, and dumped again there by pg_dump: as when pg_dump's own dump went that way."""
    for who in pair.commands:
        server.sql(f"CREATE DATABASE again_{who} TEMPLATE template0")
        errors = pair.psql(f"again_{who}", pair.dump(who, []))
        if who == "ours" and errors:
            pair.problems.append(f"{len(errors)} errors in restoring: {errors[0]}")
    pair.same("restored and dumped again", pair.dump("theirs", [], "again_theirs"), pair.dump("theirs", [], "again_ours"))


def main(s):
    prepared = subprocess.run([os.path.join(TOP, "scripts/prepare-postgres-tests")], stdout=subprocess.PIPE, text=True)
    if prepared.returncode == 3:
        print("SKIPPED")
        print("PostgreSQL's source package cannot be had here")
        return
    assert prepared.returncode == 0, "scripts/prepare-postgres-tests failed"
    server = Regression(os.path.join(s.folder, "regression"), os.path.join(prepared.stdout.strip(), "data"))
    s.servers.append(server)
    pair = dumping.Pair(s, server, "regression")
    for what, options in PLAIN.items() if s.case == "scripts" else []:
        pair.compare(what, options)
    for what, options in ARCHIVES.items() if s.case == "archives" else []:
        pair.archive(what, options)
    if s.case == "archives":
        restored(pair, server)
    pair.done()


scenario.run(main, cases=["scripts", "archives"])
