#!/usr/bin/env python3
"""The databases that the regression tests of PostgreSQL's contrib modules leave behind, dumped by pg_dump and by us: not a line differs; and ours restored and dumped again is
the same.

It needs Debian's source package of PostgreSQL (scripts/prepare-postgres-tests) and is skipped, with that word, where it cannot be had. Whether a module's own tests
pass is not asked: what they leave is to be dumped either way.
"""
import glob
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import dumping
import scenario
from server import TOP

PG_REGRESS = "/usr/lib/postgresql/15/lib/pgxs/src/test/regress/pg_regress"
# What needs a server of its own, a log to read, or a language that is not there.
LEFT_OUT = {"test_decoding", "sepgsql", "auth_delay", "passwordcheck", "basic_archive", "adminpack", "pg_surgery"}
WAYS = [[], ["-s", "--binary-upgrade"], ["-c", "--if-exists"], ["--inserts"]]


def modules(source):
    """{module: [its tests]} of those whose extension is installed."""
    found = {}
    for makefile in sorted(glob.glob(os.path.join(source, "contrib/*/Makefile"))):
        name = os.path.basename(os.path.dirname(makefile))
        with open(makefile) as file:
            text = file.read().replace("\\\n", " ")
        tests = re.search(r"(?m)^REGRESS *= *(.+)$", text)
        if tests and name not in LEFT_OUT and "plperl" not in name and "plpython" not in name:
            found[name] = tests[1].split()
    return found


def restored(pair, server, database):
    """Rows of many sizes may come to lie in another order, so the lines are compared without theirs."""
    again = "again_" + database
    server.sql(f"CREATE DATABASE {again} TEMPLATE template0")
    dumped = pair.dump("ours", [])
    errors = pair.psql(again, dumped)
    if errors:
        pair.problems.append(f"{database}: {len(errors)} errors in restoring: {errors[0]}")
    lines = [b"\n".join(sorted(dumping.normal(text).splitlines())) for text in (dumped, pair.dump("ours", [], again))]
    pair.same(f"{database}, restored and dumped again", *lines)


def main(s):
    prepared = subprocess.run([os.path.join(TOP, "scripts/prepare-postgres-tests")], stdout=subprocess.PIPE, text=True)
    if prepared.returncode == 3:
        print("SKIPPED")
        print("PostgreSQL's source package cannot be had here")
        return
    assert prepared.returncode == 0, "scripts/prepare-postgres-tests failed"
    folder = prepared.stdout.strip()
    server = s.server({"autovacuum": "off", "wal_level": "logical", "shared_preload_libraries": "pg_stat_statements", "max_prepared_transactions": "2"})
    out = os.path.join(s.folder, "out")
    os.mkdir(out)
    problems, filled = [], []
    for module, tests in modules(os.path.join(folder, "source")).items():
        here = os.path.join(out, module)
        # The tests write beside themselves, so they get a copy that the server's user owns.
        shutil.copytree(os.path.join(folder, "source/contrib", module), here)
        subprocess.run(["chown", "-R", "postgres", out], check=os.geteuid() == 0)
        database = "contrib_" + module.replace("-", "_")
        subprocess.run([*server.user_prefix, PG_REGRESS, f"--bindir={os.path.join(folder, 'build/bin')}", f"--inputdir={here}", f"--outputdir={here}",
                        f"--host={server.folder}", f"--port={server.port}", "--user=postgres", f"--dbname={database}", *tests],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=here, timeout=120)
        if server.sql(f"SELECT count(*) FROM pg_database WHERE datname = '{database}'") == "1":
            filled.append(database)
    assert len(filled) > 20, filled
    for database in filled:
        pair = dumping.Pair(s, server, database)
        for options in WAYS:
            pair.compare(f"{database} {' '.join(options)}".strip(), options)
        restored(pair, server, database)
        problems += pair.problems
    assert not problems, "\n".join(problems)
    print(f"{len(filled)} databases")


scenario.run(main)
