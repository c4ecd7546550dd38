#!/usr/bin/env python3
"""Values of serial and identity sequences arrive at intervals, never go back, and are exact when a sync until caught up has ended."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

SCHEMA = """CREATE TABLE a (id serial PRIMARY KEY, t text);
CREATE TABLE "B b" (id bigint GENERATED ALWAYS AS IDENTITY (INCREMENT 10) PRIMARY KEY, down int);
CREATE SEQUENCE "Down" INCREMENT -1 MAXVALUE -1; ALTER TABLE "B b" ALTER down SET DEFAULT nextval('"Down"');
CREATE INDEX ON "B b" (down);
CREATE TABLE small (id smallserial PRIMARY KEY); CREATE TABLE quiet (id serial PRIMARY KEY);"""


def main(s):
    source = s.server()
    source.sql(SCHEMA)
    target = s.target("postgres")
    source.sql(SCHEMA, "target")
    there = lambda name: source.sql(f"SELECT last_value, is_called FROM {name}", "target")
    here = lambda name: source.sql(f"SELECT last_value, is_called FROM {name}")
    names = ["a_id_seq", '"B b_id_seq"', '"Down"', "small_id_seq", "quiet_id_seq"]
    source.sql("SELECT setval('small_id_seq', 900)", "target")  # the target's own users were further
    run = s.sync(source.uri(), target, "--name", "seq", "--if-exists", "append", "--sequences", "0.3")
    scenario.wait_for(lambda: "streaming changes" in run.stderr, 30, "it streams")
    source.sql("""INSERT INTO a (t) SELECT 'x' FROM generate_series(1, 500); INSERT INTO "B b" DEFAULT VALUES; INSERT INTO "B b" DEFAULT VALUES;
        INSERT INTO small DEFAULT VALUES""")
    for name in names[:3]:
        scenario.wait_for(lambda: here(name) == there(name), 20, f"the value of {name} is carried over")
    assert there('"B b_id_seq"') == "11|t" and there('"Down"') == "-2|t", (there('"B b_id_seq"'), there('"Down"'))
    assert there("small_id_seq") == "900|t" and there("quiet_id_seq") == "1|f", "a sequence went back, or was set without need"
    assert run.stop() == 0, run.error_tail()
    source.sql("INSERT INTO a (t) SELECT 'y' FROM generate_series(1, 123)")
    # the plans of a catalog with many relations, which look at all of them
    joined_by_hash = source.uri(options="-c%20enable_nestloop%3Doff")
    s.sync_until_caught_up(joined_by_hash, target, "--name", "seq", "--if-exists", "append", "--sequences", "3600")
    assert there("a_id_seq") == here("a_id_seq") == "623|t", there("a_id_seq")
    source.sql("INSERT INTO a (t) VALUES ('the target goes on')", "target")
    s.sync_until_caught_up(source.uri(), target, "--name", "seq", "--sequences", "off")
    assert there("a_id_seq") == "624|t"


scenario.run(main)
