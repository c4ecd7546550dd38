#!/usr/bin/env python3
"""A server of another version than 15 is dumped as that version's own pg_dump does, byte for byte, with the options that came later too; and that version's pg_restore lists and
restores our archives. (Of 14 schema public is dumped as pg_dump does from 15 on: with its
owner.) Of 12, 13 and 14 it is also what pg_dump 15 makes of them, but for the words of 15 that they would not take back.

The programs come from another Debian or Ubuntu (scripts/fetch-pg-dump); skipped, with that word, where they cannot be had.
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import dumping
import scenario
from server import TOP

WAYS = [[], ["-s"], ["-C", "-c", "--if-exists"], ["-c"], ["--inserts"], ["--column-inserts", "--rows-per-insert=2", "--on-conflict-do-nothing"],
        ["-a"], ["-n", "app"], ["-t", "app.*", "-T", "app.v"], ["-O", "-x"], ["-N", "app"], ["--section=pre-data"], ["--section=post-data"], ["-B"],
        ["-b", "-s"], ["--no-unlogged-table-data"], ["--load-via-partition-root", "-a"], ["--quote-all-identifiers"], ["-v"],
        ["--disable-triggers", "-a"], ["-e", "hstore"], ["--no-publications", "--no-subscriptions", "--no-comments"], ["--use-set-session-authorization"],
        ["--disable-dollar-quoting", "-s"], ["--no-table-access-method", "--no-toast-compression", "--no-tablespaces", "-s"]]
# What tells where schema public is made in other words, or came with 15.
NOT_IN_14 = ("-v", "--quote-all-identifiers", "--use-set-session-authorization", "--no-table-access-method")
# What came with a version.
WAYS_OF = {
    16: [["--binary-upgrade", "-s", "-C"], ["--table-and-children=app.p*"], ["--exclude-table-and-children=app.p*"], ["--exclude-table-data-and-children=app.p*"], ["--exclude-table-data=app.*"]],
    17: [["--exclude-extension=hstore"], ["--exclude-extension=h*", "-s"], ["--filter=%f"], ["--filter=%x"], ["--restrict-key=ourkey", "-s"], ["--sync-method=fsync", "-s"]],
    18: [["--no-policies"], ["--no-data"], ["--no-schema"], ["--sequence-data", "-s"], ["--statistics"], ["--statistics", "--no-data"], ["--statistics-only"],
         ["--statistics", "-t", "app.*"], ["--no-statistics"], ["--statistics", "--section=post-data"], ["--statistics", "--section=data"],
         ["--no-schema", "--statistics"], ["--no-schema", "--no-data"]],
}
ARCHIVES = [["-Fc"], ["-Fd", "-j2"], ["-Ft"]]
ARCHIVES_OF = {16: [["-Fc", "-Z", "lz4"], ["-Fc", "-Z", "zstd:3"], ["-Fc", "-Z", "none"], ["-Fd", "-j2", "-Z", "lz4"], ["-Fd", "-j2", "-Z", "zstd:level=5"]],
               18: [["-Fc", "--statistics"]]}
FILTERS = {"%f": '# some\ninclude table app.*\nexclude table app.v   # not this\n\ninclude extension hstore\nexclude table_data "app"."t"\n',
           "%x": 'exclude schema app\nexclude extension h*\nexclude table_data_and_children *.p*\n'}


def up_to(major, ways, by_version):
    ways = [options for options in ways if major >= 15 or not options or options[0] not in NOT_IN_14]
    return ways + [options for version, more in by_version.items() if version <= major for options in more]


PUBLIC = re.compile(rb'(^-- \*not\* dropping schema, since initdb creates it\n|'
                    rb'^--\n-- Name: (public; Type: SCHEMA|SCHEMA public; Type: ACL|SCHEMA "?public"?; Type: COMMENT); .*\n--\n(?s:.)*?(?=^--\n))', re.M)


# What pg_dump 15 writes of older servers though only 15 and later ones know the words.
WORDS_OF_15 = re.compile(rb"(?<=\n)    (UN)?LOGGED\n| LOCALE_PROVIDER = libc")


class By15(dumping.Pair):
    def same(self, what, theirs, ours):
        assert not WORDS_OF_15.search(ours), f"{what}: an older server would not take this"
        theirs = WORDS_OF_15.sub(b"", theirs)
        if self.server.version < 13:
            assert b" LOCALE = " not in ours, f"{what}: LOCALE came with 13"
            theirs = re.sub(rb" LOCALE = ('[^']*')", rb" LC_COLLATE = \1 LC_CTYPE = \1", theirs)
        super().same(what, theirs, ours)


class Pair(dumping.Pair):
    def dump(self, who, options, database=None):
        text = super().dump(who, options, database)
        if self.server.version < 15:
            text = PUBLIC.sub(b"", text)
        # A name that pg_dump 18 does not quote; it would not be restored if it had a blank in it.
        return text.replace(b"CONSTRAINT unproved NOT NULL", b'CONSTRAINT "unproved" NOT NULL') if "--quote-all-identifiers" in options else text


def by_15(s, major):
    server = s.server({"max_prepared_transactions": "2"}, scenario.embedded_postgres(major))
    dumping.everything(server, False)
    pair = By15(s, server, "everything")
    for options in WAYS:
        pair.compare(" ".join(options) or "no options", options)
    for options in ARCHIVES:
        pair.archive(" ".join(options), options)
    # and the server takes it
    pair.round_trip("plain", [])
    pair.round_trip("custom", ["-Fc"])
    pair.done()


def main(s):
    if s.case.endswith("_by_15"):
        by_15(s, s.case.removesuffix("_by_15"))
        return
    major = int(s.case)
    fetched = subprocess.run([os.path.join(TOP, "scripts/fetch-pg-dump"), s.case], stdout=subprocess.PIPE, text=True)
    if fetched.returncode == 3:
        print("SKIPPED")
        print(f"pg_dump {s.case} cannot be had here")
        return
    assert fetched.returncode == 0, "scripts/fetch-pg-dump failed"
    programs = fetched.stdout.strip()
    server = s.server({"max_prepared_transactions": "2"}, scenario.embedded_postgres(s.case))
    dumping.everything(server, False)
    # One table of it cannot be analyzed.
    server.sql("\\set ON_ERROR_STOP 0\nSELECT format('VACUUM ANALYZE %s', oid::regclass) FROM pg_class WHERE relkind IN ('r', 'p', 'm') AND oid >= 16384 "
               "ORDER BY oid \\gexec", "everything")
    pair = Pair(s, server, "everything", programs)
    files = {}
    for name, text in FILTERS.items():
        files[name] = os.path.join(s.folder, "filter" + name[1:])
        with open(files[name], "w") as file:
            file.write(text)
    for options in up_to(major, WAYS, WAYS_OF):
        words = [word.replace(word[-2:], files[word[-2:]]) if word[-2:] in files else word for word in options]
        pair.compare(" ".join(options) or "no options", words)
    for options in up_to(major, ARCHIVES, ARCHIVES_OF) if major >= 15 else []:
        pair.archive(" ".join(options), options)
    restored_by_stock(pair, server, major)
    pair.done()


def restored_by_stock(pair, server, major):
    """Their pg_restore makes the same database of our archives as of its own."""
    for number, options in enumerate((["-Fc", "-Z", "lz4"], ["-Fd", "-j2", "-Z", "zstd"]) if major >= 16 else (["-Fc"], ["-Fd", "-j2"])):
        dumped = {}
        for who in pair.commands:
            name, path = f"restored_{who}_{number}", os.path.join(pair.s.folder, f"restored_{who}_{number}")
            server.sql(f"CREATE DATABASE {name} TEMPLATE template0")
            pair.dump(who, [*options, "-f", path])
            done = subprocess.run([os.path.join(pair.programs, "pg_restore"), "-j2", "-d", server.socket_conninfo(name), path], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
            if done.returncode and who == "ours":
                pair.problems.append(f"{options}: pg_restore of our archive: {done.stdout[-500:]}")
            dumped[who] = pair.dump("theirs", [], name)
        pair.same(" ".join(options) + ", restored by pg_restore", dumped["theirs"], dumped["ours"])


scenario.run(main, cases=["14", "16", "17", "18", "12_by_15", "13_by_15", "14_by_15"])
