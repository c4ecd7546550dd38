#!/usr/bin/env python3
"""`plan` tells a database's sizes as the server does, counts its changes, recommends by them, and gives commands that work."""
import json
import os
import shlex
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario


def plan(s, *arguments):
    return json.loads(s.pgconvoy("plan", *arguments, "--json", bare=True).ok(60).stdout)


def main(s):
    server = s.server()
    server.create_database("shop", """CREATE TABLE item (id int PRIMARY KEY, name text); INSERT INTO item SELECT i, repeat('x', 50) FROM generate_series(1, 20000) i;
        CREATE TABLE page (id int PRIMARY KEY, body text); ALTER TABLE page ALTER body SET STORAGE EXTERNAL; INSERT INTO page SELECT i, repeat('y', 10000) FROM generate_series(1, 100) i; ANALYZE""")
    quiet = plan(s, server.uri("shop"), "duckdb:x", "--sample", "200ms")
    sizes = server.sql("SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname IN ('item', 'page')", "shop")
    assert quiet["table_bytes"] + quiet["toast_bytes"] + quiet["index_bytes"] == int(sizes), (quiet, sizes)
    tables = {table["table"]: table for table in quiet["tables"]}
    assert tables["public.item"]["rows"] == 20000 and tables["public.page"]["toast_bytes"] > 1000000 and quiet["rows"] == 20100
    assert quiet["recommended"] == "dump" and "10 GB" in quiet["reason"] and quiet["changes"] == 0
    assert quiet["read_bytes"] > 2000000 and quiet["read_us"] > 0 and quiet["round_trip_us"] > 0
    assert [way["way"] for way in quiet["ways"]] == ["dump", "copy", "link", "sync", "physical"]
    # one that changes all the time
    load = s.load(server.pgbench("-T", "60", "-c", "1", database="shop", script="\\set i random(1, 20000)\nUPDATE item SET name = 'n' WHERE id = :i;\n"))
    busy = plan(s, server.uri("shop"), "--sample", "2s", "-t", "item")
    load.stop()
    assert busy["recommended"] == "sync" and busy["changes"] > 10 and busy["wal_bytes"] > 1000 and "changes often" in busy["reason"], busy
    assert [table["table"] for table in busy["tables"]] == ["public.item"] and busy["tables"][0]["changes"] == busy["changes"]
    # as people read it, and the commands
    text = s.pgconvoy("plan", server.uri("shop").replace("postgres@", "postgres:s3cr3t@"), server.uri("copied"), "--sample", "0s", bare=True).ok().stdout
    assert "recommended: dump" in text and "public.item" in text and "\033" not in text and "s3cr3t" not in text, text
    server.create_database("copied")
    command = next(way["command"] for way in plan(s, server.uri("shop"), server.uri("copied"), "--sample", "0s")["ways"] if way["way"] == "copy")
    assert command.startswith("pgconvoy copy "), command

    s.pgconvoy(*shlex.split(command)[1:]).ok()
    assert server.sql("SELECT count(*) FROM item", "copied") == "20000"
    # what is wrong
    s.pgconvoy("plan", server.uri("shop"), "--sample", "long", bare=True).fails(2, "--sample")
    s.pgconvoy("plan", server.uri("nowhere"), bare=True).fails(1, "nowhere")
    s.pgconvoy("plan", server.uri("shop"), "nosuch:thing", bare=True).fails(2)


scenario.run(main)
