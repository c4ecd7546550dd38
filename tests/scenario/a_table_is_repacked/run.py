#!/usr/bin/env python3
"""pg_repack packs tables and indexes of the source anew while they are written to. What it makes for that (two tables, a trigger and indexes, dropped again in the end)
stays at the source, also where the target has pg_repack itself, and also where the publication is of all tables; no pipeline begins anew for it, and the rows arrive.
With Debian's pg_repack (scripts/install-pg-repack); skipped, with that said, where it cannot be had."""
import os
import re
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = """
CREATE TABLE items (id serial PRIMARY KEY, n int, note text, big text); ALTER TABLE items ALTER big SET STORAGE EXTERNAL; CREATE INDEX by_n ON items (n);
INSERT INTO items (n, note, big) SELECT i, 'n' || i, repeat(md5(i::text), 200) FROM generate_series(1, 1000) AS i;
CREATE TABLE lost (id int PRIMARY KEY, x int, gone int, last text); INSERT INTO lost SELECT i, i, i, 'l' || i FROM generate_series(1, 1000) AS i;
ALTER TABLE lost DROP COLUMN gone;
CREATE TABLE days (id int, day int, note text, PRIMARY KEY (id, day)) PARTITION BY LIST (day);
CREATE TABLE days_1 PARTITION OF days FOR VALUES IN (1); CREATE TABLE days_2 PARTITION OF days FOR VALUES IN (2);
INSERT INTO days SELECT i, 1 + i % 2, 'x' FROM generate_series(1, 1000) AS i;
"""
WORK = """
UPDATE items SET n = n + 1 WHERE id % 37 = {0} % 37; UPDATE items SET big = big || 'z' WHERE id = {0} % 1000; UPDATE items SET note = note || '!' WHERE id = {0} % 999;
INSERT INTO items (n, note) VALUES ({0}, 'new'); DELETE FROM items WHERE id = {0};
UPDATE lost SET x = x + 1 WHERE id % 11 = {0} % 11; UPDATE days SET day = 3 - day, note = note || 'y' WHERE id % 13 = {0} % 13;
"""
# what is done to which tables; the last ones only index by index. Under a publication of all tables the server refuses what pg_repack does to a table that is written to.
PACKED = [("-t", "items"), ("-t", "lost"), ("-I", "days"), ("-t", "items", "-o", "n"), ("-x", "-t", "items"), ("-Z", "-I", "days")]
LEFT = """SELECT (SELECT count(*) FROM pg_class c WHERE relnamespace = 'repack'::regnamespace AND relkind = 'r'), (SELECT count(*) FROM pg_trigger WHERE tgname = 'repack_trigger'),
    (SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind = 'i')"""


def repack(source, folder, *options):
    done = subprocess.run([f"{folder}/usr/lib/postgresql/15/bin/pg_repack", "-h", "127.0.0.1", "-p", str(source.port), "-U", "postgres", "-d", "postgres", *options],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert done.returncode == 0 and "repacking" in done.stdout and "ERROR" not in done.stdout, done.stdout
    print(" ".join(options), "->", done.stdout.strip().replace("\n", ", "))


def worked_on(source, do):
    """What do() does while somebody else writes; how many times somebody did."""
    over, rounds, failed = threading.Event(), [], []

    def work():
        while not over.is_set():
            try:
                source.sql(WORK.format(len(rounds) + 1))
            except RuntimeError as error:
                failed.append(error)
                return
            rounds.append(None)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        do()
    finally:
        over.set()
        worker.join()
    assert not failed, failed[0]
    return len(rounds)


def main(s):
    settings, folder = scenario.extension_settings("install-pg-repack")
    if not settings:
        return
    source = s.server(settings)
    source.sql("CREATE EXTENSION pg_repack;" + TABLES)
    everything = s.case == "all_tables"
    if s.case == "duckdb":
        target = s.target("duckdb")
    else:
        target = s.target("postgres", s.server(settings))
        target.query("CREATE EXTENSION pg_repack")
    options = ["--name", "packed"]
    if everything:
        source.sql("CREATE PUBLICATION everything FOR ALL TABLES")
        options += ["--publication", "everything"]
    run = s.sync(source.uri(), target, *options)
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
    if everything:
        repack(source, folder, "-t", "items")
        worked_on(source, lambda: repack(source, folder, "-x", "-t", "items"))
    else:
        rounds = worked_on(source, lambda: [repack(source, folder, *words) for words in PACKED])
        assert rounds > 5, f"{rounds} rounds of work: hardly anything was written meanwhile"
    repack(source, folder, "-k")  # all there is, ours too
    source.sql("INSERT INTO items (n) VALUES (1); UPDATE lost SET last = 'the end'; DELETE FROM days WHERE id % 5 = 0")
    end = source.current_lsn()
    scenario.wait_for(lambda: not run.running() or source.sql(f"SELECT bool_and(confirmed_flush_lsn >= '{end}') FROM pg_replication_slots") == "t", 60, "all is durable")
    assert run.running(), run.error_tail()
    assert run.stop() == 0, run.error_tail()
    print(re.sub(".* progress: .*\n", "", run.stderr))
    for words in ("repack", "left out", "added table", "have changed", " warning: "):
        assert words not in run.stderr, f"the log says {words!r}"
    assert run.stderr.count("streaming changes") == 1, "the stream began anew"
    s.equal(source, target, tables=[("public", name) for name in ("items", "lost", "days")])
    if s.case != "duckdb":
        assert target.query(LEFT) == source.sql(LEFT), (target.query(LEFT), source.sql(LEFT))


scenario.run(main, cases=["postgres", "all_tables", "duckdb"])
