#!/usr/bin/env python3
"""The database that PostgreSQL's regression tests leave behind, dumped by pg_dump and by us: not a line differs, whatever the options, and archives
restore to the same.

It needs Debian's source package of PostgreSQL (scripts/prepare-postgres-tests) and is skipped, with that word, where it cannot be had.
"""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario
from command import PGCONVOY
from server import TOP, Server, client

# What differs from run to run: the key of \restrict, and who dumped.
KEY = re.compile(rb"^\\(un)?restrict .*$", re.M)
WHO = re.compile(rb"^-- Dumped (from database version|by) .*\n", re.M)

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

    def _run(self, program, *arguments, check=True):
        if program != "initdb":
            return super()._run(program, *arguments, check=check)
        return subprocess.run(self.user_prefix + ["cp", "-a", "--reflink=auto", self.prepared, self.data], check=True)


def normal(text):
    return WHO.sub(b"", KEY.sub(rb"\\restrict", text))


class Pair:
    def __init__(self, s, server, database="regression"):
        self.s, self.server, self.database = s, server, database
        self.commands = {"theirs": [client("pg_dump")], "ours": [PGCONVOY, "dump"]}
        self.problems = []

    def dump(self, who, options, database=None):
        done = subprocess.run([*self.commands[who], *options, "-d", self.server.socket_conninfo(database or self.database)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120)
        if done.returncode:
            self.problems.append(f"{who}: {options} ended with {done.returncode}: {done.stderr.decode()[-300:]}")
        return done.stdout

    def same(self, what, theirs, ours):
        theirs, ours = normal(theirs), normal(ours)
        if theirs == ours:
            print(f"equal: {what} ({theirs.count(10)} lines)")
            return
        files = {}
        for who, text in (("theirs", theirs), ("ours", ours)):
            files[who] = os.path.join(self.s.folder, f"{what}.{who}".replace(" ", "_"))
            with open(files[who], "wb") as file:
                file.write(text)
        diff = subprocess.run(["diff", "-a", "-U1", "--speed-large-files", files["theirs"], files["ours"]], stdout=subprocess.PIPE).stdout
        lines = [line for line in diff.decode(errors="replace").splitlines()[2:] if line[:1] in "+-"]
        self.problems.append(f"{what}: {len(lines)} lines differ:\n" + "\n".join(line[:160] for line in lines[:12]))


def archive(pair, s, what, options):
    listed, text = {}, {}
    for who in pair.commands:
        path = os.path.join(s.folder, f"{what}.{who}.archive".replace(" ", "_"))
        pair.dump(who, [*options, "-f", path])
        restore = [client("pg_restore")]
        listed[who] = re.sub(rb"(?m)^(;.*\n|\d+; \d+ \d+ )", b"", subprocess.run([*restore, "-l", path], stdout=subprocess.PIPE).stdout)
        text[who] = subprocess.run([*restore, "-f", "-", path], stdout=subprocess.PIPE).stdout
        (shutil.rmtree if os.path.isdir(path) else os.unlink)(path)
    pair.same(what + ", contents", listed["theirs"], listed["ours"])
    pair.same(what + ", restored", text["theirs"], text["ours"])


def restored(pair, s, server):
    """Our dump into a new database, and dumped again there by pg_dump: as when pg_dump's own dump went that way."""
    for who in pair.commands:
        server.sql(f"CREATE DATABASE again_{who} TEMPLATE template0")
        done = subprocess.run([client("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=0", "-d", server.socket_conninfo(f"again_{who}")],
                              input=pair.dump(who, []), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        errors = [line for line in done.stderr.decode(errors="replace").splitlines() if "ERROR:" in line]
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
    pair = Pair(s, server)
    for what, options in PLAIN.items():
        pair.same(what, pair.dump("theirs", options), pair.dump("ours", options))
    for what, options in ARCHIVES.items():
        archive(pair, s, what, options)
    restored(pair, s, server)
    assert not pair.problems, "\n".join(pair.problems)


scenario.run(main)
