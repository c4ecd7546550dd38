#!/usr/bin/env python3
"""A command that changes a definition reaches the target in its place among the rows: whoever gave it (a client, several in one query, PL/pgSQL), by
whatever search_path, mixed with rows in one transaction. Definitions, by pg_dump of both ends, and rows are equal in the end; the pipeline is
killed in between. What cannot be done ends the pipeline before damage, or is listed; `drop` takes the event triggers away."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

HERE = os.path.dirname(os.path.abspath(__file__))
# one query with several commands, and rows between them
SEVERAL = ("CREATE TABLE several (a int PRIMARY KEY, b int); INSERT INTO several VALUES (1, 1); ALTER TABLE several ADD c text DEFAULT 'semi;colon'; "
           "/* ; */ CREATE INDEX several_b ON several (b); INSERT INTO several VALUES (2, 2)")
TABLES = """CREATE TABLE old (id serial PRIMARY KEY, text text); INSERT INTO old (text) VALUES ('first'), ('second');
    CREATE TABLE dropped (id int PRIMARY KEY); INSERT INTO dropped VALUES (1); CREATE SCHEMA app"""
TRIGGERS = "SELECT count(*) FROM pg_event_trigger"


def schema(server, database):
    """pg_dump's text, without what belongs to one end alone."""
    text = subprocess.run([scenario.client("pg_dump"), "-s", "-O", "-x", "-N", "pgconvoy", "-d", server.socket_conninfo(database)],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    own = ("EVENT TRIGGER", "PUBLICATION", "Dumped", "restrict")
    return "\n\n".join(block for block in text.split("\n\n") if not any(word in block for word in own))


def durable(source, run):
    """All is in the target, and the tables are those that are there now."""
    for _ in range(2):
        end = source.current_lsn()
        scenario.wait_for(lambda: not run.running() or source.sql(f"SELECT bool_and(confirmed_flush_lsn >= '{end}') FROM pg_replication_slots") == "t", 60,
                          "all is durable")
        assert run.running(), run.error_tail()


def all_joined(source, target, run):
    wanted = len(source.tables())
    scenario.wait_for(lambda: not run.running() or target.query("SELECT count(*) FROM pgconvoy.table_state WHERE state = 'live'") == str(wanted), 60,
                      "all tables are live")
    assert run.running(), run.error_tail()


def every_kind(s):
    source = s.server()
    source.sql(TABLES)
    target = s.target("postgres")
    run = s.sync(source.uri(), target, "--name", "kinds")
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
    lines = open(os.path.join(HERE, "commands.sql")).read()
    half = lines.index("-- names by the search_path")
    source.sql(lines[:half])
    run.kill()
    source.sql(lines[half:])
    subprocess.run([scenario.client("psql"), "-X", "-q", "-d", source.socket_conninfo(), "-c", SEVERAL], check=True)
    run = s.sync(source.uri(), target, "--name", "kinds")
    all_joined(source, target, run)
    durable(source, run)
    here, there = schema(source, "postgres"), schema(source, "target")
    assert here == there, "\n".join(line for line in __import__("difflib").unified_diff(here.split("\n"), there.split("\n"), "source", "target", n=1))
    s.equal(source, target)
    assert target.query("SELECT to_regclass('pgconvoy.ddl_skipped') IS NULL") == "t", target.query("SELECT * FROM pgconvoy.ddl_skipped")
    assert run.stop() == 0, run.error_tail()
    s.pgconvoy("drop", "kinds").ok()
    assert source.sql(TRIGGERS) == "0" and source.sql("SELECT to_regnamespace('pgconvoy') IS NULL") == "t", "event triggers were left"


scenario.run(every_kind)
