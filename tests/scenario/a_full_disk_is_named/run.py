#!/usr/bin/env python3
"""The target's disk fills up, during the copy and during the stream: it says so, and goes on when there is room, by itself or when it
is run again.

The disk is a small tmpfs, so this needs root.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario
from targets import DuckdbTarget, PostgresTarget, StdoutTarget

WORDS = "space"


def fill(source, first, count):
    source.sql(f"INSERT INTO t SELECT i, (SELECT string_agg(md5((i * 100 + j)::text), '') FROM generate_series(1, 30) AS j) "
               f"FROM generate_series({first}, {first + count - 1}) AS i")


def fills_up(s, run, make_room):
    """It says what is the matter; then it either ended, or it goes on by itself once there is room."""
    scenario.wait_for(lambda: not run.running() or (WORDS in run.stderr.lower() and "trying again" in run.stderr), 60,
                      "it says that the disk is full")
    if run.running():
        make_room()
        run.ok(120)
    else:
        run.fails(1, WORDS)
        make_room()


def main(s):
    if os.geteuid() != 0:
        print("SKIPPED: mounting a small disk needs root")
        return
    disk = os.path.join(s.folder, "disk")
    os.mkdir(disk)

    def size(megabytes, *options):
        subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join([*options, f"size={megabytes}m,mode=0777"]), "tmpfs", disk], check=True)

    source = s.server()
    source.sql("CREATE TABLE t (id int PRIMARY KEY, filler text)")
    fill(source, 1, 16000)  # some 16 MB
    size(8 if s.case != "postgres" else 14)
    try:
        if s.case == "duckdb":
            target = DuckdbTarget(os.path.join(disk, "target.duckdb"))
        elif s.case == "stdout":
            target = StdoutTarget(os.path.join(disk, "target.jsonl"))
        else:
            os.mkdir(os.path.join(disk, "space"))
            subprocess.run(["chown", "postgres", os.path.join(disk, "space")], check=True)
            source.sql(f"CREATE TABLESPACE small LOCATION '{disk}/space'")
            source.sql("CREATE DATABASE target TABLESPACE small")
            target = PostgresTarget(source, "target")
        options = ["--name", "full", "--until", "caught-up"]
        fills_up(s, s.sync(source.uri(), target, *options), lambda: size(60, "remount"))
        s.sync_until_caught_up(source.uri(), target, "--name", "full")
        s.equal(source, target)

        fill(source, 100001, 60000)  # some 60 MB, in one transaction
        fills_up(s, s.sync(source.uri(), target, *options), lambda: size(500, "remount"))
        s.sync_until_caught_up(source.uri(), target, "--name", "full")
        s.equal(source, target)
    finally:
        for server in s.servers:
            server.stop("immediate")
        subprocess.run(["umount", "-l", disk], check=True)


scenario.run(main, cases=scenario.SINKS)
