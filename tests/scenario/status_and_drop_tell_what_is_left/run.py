#!/usr/bin/env python3
"""`status NAME` tells of tables, positions, lag and of what the slot holds back, whether the pipeline runs or not; `drop` removes what can
be reached, says the SQL for the rest, and does that too once it can."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario


def status(s, *options):
    return s.pgconvoy("status", "shop", *options).ok().stdout


def look(s):
    return json.loads(status(s, "--json"))


def main(s):
    # segments of 1 MB: the server tells what is left of its limit by whole ones
    source = s.server({"max_slot_wal_keep_size": "64MB", "max_wal_size": "32MB", "min_wal_size": "2MB"},
                      initdb_options=("--wal-segsize=1",))
    source.sql("CREATE TABLE orders (id serial PRIMARY KEY, text text); CREATE TABLE \"größe\" (id int PRIMARY KEY);"
               "INSERT INTO orders (text) SELECT 'x' FROM generate_series(1, 1000)")
    there = s.server()
    target = s.target("postgres", server=there)
    run = s.sync(source.uri(), target, "--name", "shop", "--slot", "shop_slot", "--heartbeat", "0.3")
    scenario.wait_for(lambda: os.path.exists(os.path.join(s.state, "shop/status.json")), 30, "there is a status")
    scenario.wait_for(lambda: look(s)["status"]["phase"] == "streaming", 30, "it streams")
    # by a heartbeat: nothing else has come through the stream yet
    scenario.wait_for(lambda: "commit_lag_ms" in look(s)["status"], 30, "the lag of the idle stream is known")
    assert look(s)["status"]["changes"] == 0, look(s)
    source.sql("INSERT INTO orders (text) VALUES ('new')")
    scenario.wait_for(lambda: look(s)["status"]["changes"] == 1, 30, "the change is durable")
    now = look(s)
    assert now["running"] and now["slot"]["active"] and now["slot"]["name"] == "shop_slot", now
    assert {(table["table"], table["state"]) for table in now["status"]["tables"]} == {("orders", "live"), ("größe", "live")}, now
    assert now["slot"]["retained_bytes"] >= 0 and now["slot"]["left_bytes"] > 0, now
    text = status(s)
    for word in ("running", "received", "durable", "from commit to durable", "shop_slot, in use", "until the source gives it up"):
        assert word in text, (word, text)
    lines = text.split("\n")
    header = next(i for i, line in enumerate(lines) if line.split()[:1] == ["table"])
    places = {len(line) for line in lines[header:header + 3]}
    assert len(places) == 1, f"the table is not aligned:\n{text}"

    # stopped: the slot holds back what is written meanwhile, and the rest of the limit is known
    assert run.stop() == 0, run.error_tail()
    before = look(s)["slot"]
    source.sql("CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 5000)")
    after = look(s)
    assert not after["running"] and not after["slot"]["active"], after
    assert after["slot"]["retained_bytes"] > before["retained_bytes"] + 4000000, (before, after)
    assert after["slot"]["left_bytes"] < before["left_bytes"] - 4000000, (before, after)
    assert after["slot"]["seconds_left"] is not None and after["slot"]["wal_bytes_per_s"] > 0, after

    # the target is away: the source is cleaned, and the SQL for the target is said
    there.stop()
    failed = s.pgconvoy("drop", "shop").fails(1, ["not dropped at its target"])
    assert source.slots() == {} and source.publications() == [], "slot and publication were left"
    sql = failed.stderr.split("this removes: ")[1].split("\n")[0]
    there.start()
    assert there.sql("SELECT count(*) FROM pgconvoy.pipeline", "target") == "1"
    assert look(s)["slot"]["exists"] is False
    there.sql("BEGIN; " + sql + "; COMMIT", "target")
    assert there.sql("SELECT count(*) FROM pgconvoy.pipeline", "target") == "0"
    s.pgconvoy("drop", "shop").ok()
    assert not os.path.exists(os.path.join(s.state, "shop")), "the local state was left"

    # the source is away: the target is cleaned; the same command does the rest later
    s.sync_until_caught_up(source.uri(), target, "--name", "shop", "--if-exists", "truncate")
    # a run that is over before the first look at its progress leaves its status too; one that only says what it would do leaves none
    os.remove(os.path.join(s.state, "shop/status.json"))
    s.sync(source.uri(), target, "--name", "shop", "--dry-run").ok()
    assert look(s)["status"] is None, look(s)
    s.sync_until_caught_up(source.uri(), target, "--name", "shop")
    assert look(s)["status"]["phase"] == "done", look(s)
    source.stop()
    assert look(s)["slot"] is None and look(s)["slot_error"], "no word of the source that is away"
    failed = s.pgconvoy("drop", "shop").fails(1, ["not dropped at its source"])
    assert there.sql("SELECT to_regclass('pgconvoy.pipeline') IS NULL", "target") == "t", "the target was not cleaned"
    sql = failed.stderr.split("this removes: ")[1].split("\n")[0]
    assert "pgconvoy_shop" in sql, sql
    source.start()
    assert list(source.slots()) == ["pgconvoy_shop"]
    for statement in sql.split("; "):
        source.sql(statement)
    assert source.slots() == {} and source.publications() == [], "the SQL that was said does not do it"
    s.pgconvoy("drop", "shop").ok()
    s.pgconvoy("status", "shop").fails(1, ["nothing is known"])


scenario.run(main)
