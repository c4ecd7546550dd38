#!/usr/bin/env python3
"""Names, help, exit statuses and small promises of the command line that outside checks rely on."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario


def main(s):
    version = s.pgconvoy("--version").ok().stdout
    assert version.startswith("pgconvoy ") and version.count("\n") == 1, version
    help_text = s.pgconvoy("--help").ok().stdout
    for word in ("copy", "stream", "sync", "drop", "duckdb:", "SOURCE", "TARGET"):
        assert word in help_text, f"{word} is not in --help"
    for name in ("copy", "stream", "sync", "drop"):
        text = s.pgconvoy(name, "--help", bare=True).ok().stdout
        assert "--name" in text or name == "drop", f"{name} --help has no --name"
    s.pgconvoy(bare=True).fails(2)

    source = s.server()
    source.sql("CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'one'); CREATE TABLE other (id int PRIMARY KEY);"
               "CREATE SCHEMA aside; CREATE TABLE aside.t (id int PRIMARY KEY)")

    # options before the operands, a libpq keyword string, a dry run
    target = s.target("stdout", name="dry")
    s.pgconvoy("--dry-run", "sync", source.socket_conninfo(), "-", target=target).wait()
    s.pgconvoy("sync", "--dry-run", source.socket_conninfo(), "-", "--until", "caught-up", target=target).ok()
    assert not target.exists() and source.slots() == {} and source.publications() == [], "a dry run did something"

    # copy alone leaves nothing at the source, and its lines are what cli.md says
    target = s.target("stdout", name="copy")
    s.pgconvoy("copy", source.socket_conninfo(), "-", "-t", "public.t", target=target).ok()
    lines = [json.loads(line) for line in open(target.path)]
    copies = [line for line in lines if line["op"] == "copy"]
    assert [line["new"] for line in copies] == [{"id": 1, "name": "one"}], lines
    assert copies[0]["schema"] == "public" and copies[0]["table"] == "t" and copies[0]["key"] == {"id": 1}, copies
    assert source.slots() == {} and source.publications() == [], "a copy left something at the source"

    # patterns; the name of slot and publication; the stream's lines
    target = s.target("stdout", name="sync")
    s.sync_until_caught_up(source.uri(), target, "--name", "lines", "-t", "public.*", "-T", "other")
    assert list(source.slots()) == ["pgconvoy_lines"] and source.publications() == ["pgconvoy_lines"], source.publications()
    source.sql("BEGIN; INSERT INTO t VALUES (2, 'two'); UPDATE t SET id = 3 WHERE id = 1; DELETE FROM t WHERE id = 2; COMMIT;"
               "INSERT INTO other VALUES (1); INSERT INTO aside.t VALUES (1)")
    s.sync_until_caught_up(source.uri(), target, "--name", "lines", "-t", "public.*", "-T", "other")
    lines = [json.loads(line) for line in open(target.path)]
    stream = [line for line in lines if line["op"] in ("insert", "update", "delete")]
    assert [(line["op"], line["table"]) for line in stream] == [("insert", "t"), ("update", "t"), ("delete", "t")], stream
    assert stream[1]["key"] == {"id": 1} and stream[1]["new"] == {"id": 3, "name": "one"}, stream[1]
    for line in stream:
        assert {"lsn", "commit_lsn", "xid", "time", "schema"} <= line.keys(), line
    assert len({line["commit_lsn"] for line in stream}) == 1

    # --until LSN
    source.sql("INSERT INTO t VALUES (10, 'ten')")
    until = source.current_lsn()
    s.sync(source.uri(), target, "--name", "lines", "-t", "public.*", "-T", "other", "--until", until).ok()
    assert '"ten"' in open(target.path).read()

    # `stream` alone, from where a slot and a publication of somebody else stand
    source.sql("CREATE PUBLICATION theirs FOR TABLE t; SELECT pg_create_logical_replication_slot('theirs', 'pgoutput');"
               "INSERT INTO t VALUES (20, 'twenty')")
    target = s.target("stdout", name="stream")
    s.pgconvoy("stream", source.uri(), "-", "--name", "other", "--slot", "theirs", "--publication", "theirs", "--until", "caught-up",
               target=target).ok()
    stream = [json.loads(line) for line in open(target.path)]
    assert [line["new"]["name"] for line in stream if line["op"] == "insert"] == ["twenty"], stream

    # two runs of one pipeline at the same time: the second says so
    target = s.target("stdout", name="twice")
    first = s.sync(source.uri(), target, "--name", "twice", "-t", "t")
    scenario.wait_for(lambda: source.sql("SELECT active FROM pg_replication_slots WHERE slot_name = 'pgconvoy_twice'") == "t", 30,
                      "the first run streams")
    s.sync(source.uri(), s.target("stdout", name="twice2"), "--name", "twice", "-t", "t", "--until", "caught-up").fails(1, [], seconds=60)
    assert first.running() and first.stop() == 0

    # drop removes slot and publication, leaves the tables
    target = s.target("duckdb")
    s.sync_until_caught_up(source.uri(), target, "--name", "gone", "-t", "public.t")
    assert "pgconvoy_gone" in source.slots()
    s.pgconvoy("drop", "gone", source.uri(), target.uri).ok()
    assert "pgconvoy_gone" not in source.slots() and "pgconvoy_gone" not in source.publications()
    assert target.query("SELECT count(*) FROM public.t") != "0"

    # progress and log as JSON
    run = s.sync(source.uri(), s.target("duckdb", name="json"), "--name", "json", "--progress", "json", "--log-format", "json",
                 "--until", "caught-up").ok()
    for line in run.stderr.strip().split("\n"):
        json.loads(line)


scenario.run(main)
