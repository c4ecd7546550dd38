#!/usr/bin/env python3
"""The target's disk fills up, during the copy and during the stream: it ends with the reason, and goes on when there is room.

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
    fill(source, 1, 25000)  # some 25 MB
    size(12)
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
        s.sync(source.uri(), target, *options).fails(1, WORDS, seconds=120)

        size(120, "remount")
        s.sync_until_caught_up(source.uri(), target, "--name", "full")
        s.equal(source, target)

        fill(source, 100001, 120000)  # some 120 MB, in one transaction
        s.sync(source.uri(), target, *options).fails(1, WORDS, seconds=120)
        size(1000, "remount")
        s.sync_until_caught_up(source.uri(), target, "--name", "full")
        s.equal(source, target)
    finally:
        for server in s.servers:
            server.stop("immediate")
        subprocess.run(["umount", "-l", disk], check=True)


scenario.run(main, cases=scenario.SINKS)
