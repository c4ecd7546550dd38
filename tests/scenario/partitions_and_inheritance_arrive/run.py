#!/usr/bin/env python3
"""Partitioned tables, several levels deep, and inheritance: with and without publish_via_partition_root, rows that move
between partitions, and partitions that are attached and detached."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = """
CREATE TABLE sales (id int, region text, day date, amount numeric(10,2), PRIMARY KEY (id, region, day)) PARTITION BY LIST (region);
CREATE TABLE sales_north PARTITION OF sales FOR VALUES IN ('north');
CREATE TABLE sales_south PARTITION OF sales FOR VALUES IN ('south') PARTITION BY RANGE (day);
CREATE TABLE sales_south_old PARTITION OF sales_south FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
-- a partition whose columns stand in another order, with a dropped one between
CREATE TABLE sales_south_new (dropped int, amount numeric(10,2), day date NOT NULL, region text NOT NULL, id int NOT NULL);
ALTER TABLE sales_south_new DROP COLUMN dropped;
ALTER TABLE sales_south ATTACH PARTITION sales_south_new FOR VALUES FROM ('2026-01-01') TO (MAXVALUE);
CREATE TABLE sales_other PARTITION OF sales DEFAULT;
CREATE TABLE vehicles (id int PRIMARY KEY, name text);
CREATE TABLE cars (doors int, PRIMARY KEY (id)) INHERITS (vehicles);
"""

FILL = """
INSERT INTO sales SELECT i, (ARRAY['north', 'south', 'east'])[1 + i % 3], date '2025-12-01' + i, i / 3.0
    FROM generate_series({0} + 1, {0} + 60) AS i;
INSERT INTO vehicles SELECT i, 'vehicle ' || i FROM generate_series({0} + 1, {0} + 10) AS i;
INSERT INTO cars SELECT i, 'car ' || i, 4 FROM generate_series({0} + 1001, {0} + 1010) AS i;
"""

CHANGES = """
UPDATE sales SET amount = amount + 1 WHERE id % 4 = 0;
UPDATE sales SET region = 'south' WHERE region = 'north' AND id % 2 = 0;
UPDATE sales SET day = '2027-01-01' WHERE region = 'south' AND id % 5 = 0;
UPDATE sales SET region = 'west' WHERE id % 7 = 0;
DELETE FROM sales WHERE id % 11 = 0;
UPDATE vehicles SET name = name || '!' WHERE id % 2 = 0;
DELETE FROM vehicles WHERE id % 5 = 0;
"""

QUERY = "SELECT id, region, day, amount FROM sales"


def a_partition_leaves(s, source):
    """It is a table of its own by now, and a partition at the target until the stream has come that far: it joins in the same run."""
    source.create_database("leaves")
    source.sql("CREATE TABLE whole (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE one PARTITION OF whole FOR VALUES FROM (0) TO (10); "
               "CREATE TABLE two PARTITION OF whole FOR VALUES FROM (10) TO (20); INSERT INTO whole SELECT g, 'x' FROM generate_series(1, 15) g", "leaves")
    target = s.target("postgres", name="leaves_target")
    sync = (source.uri("leaves"), target, "--name", "leaves")
    s.sync_until_caught_up(*sync)
    source.sql("INSERT INTO whole VALUES (16, 'before'); ALTER TABLE whole DETACH PARTITION two; INSERT INTO two VALUES (100, 'after'); DELETE FROM two WHERE id = 12; "
               "ALTER TABLE two ADD COLUMN n int DEFAULT 4", "leaves")
    s.sync_until_caught_up(*sync)
    s.equal(source, target, tables=[("public", "whole"), ("public", "two")], database="leaves")


def leaves_are_tables(s, source):
    """A partitioned table that comes while nobody looks, and one while the pipeline runs: with --partitions leaves it is none of the pipeline's, and each of its partitions is."""
    source.create_database("each")
    source.sql("CREATE TABLE alone (id int PRIMARY KEY)", "each")
    target = s.target("postgres", name="each_target")
    sync = (source.uri("each"), target, "--name", "each", "--partitions", "leaves")
    s.sync_until_caught_up(*sync)
    make = "CREATE TABLE {0} (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE {0}_low PARTITION OF {0} FOR VALUES FROM (0) TO (10); CREATE TABLE {0}_high PARTITION OF {0} DEFAULT; "
    source.sql(make.format("away") + "INSERT INTO away VALUES (1), (11); ALTER TABLE away DETACH PARTITION away_high", "each")
    run = s.sync(*sync)
    scenario.wait_for(lambda: "copied public.away_high" in run.stderr or not run.running(), 60, "the leaves are copied")
    source.sql(make.format("live") + "INSERT INTO live VALUES (1), (11)", "each")
    scenario.wait_for(lambda: "copied public.live_high" in run.stderr or not run.running(), 60, "the leaves are copied")
    source.sql("TRUNCATE live_low; INSERT INTO live VALUES (2), (12)", "each")
    assert run.stop() == 0, run.error_tail()
    s.sync_until_caught_up(*sync)
    s.equal(source, target, tables=[("public", name) for name in ("away", "away_high", "live")], database="each")


def a_table_becomes_a_partition(s, source):
    """Its rows come once: with the table that it is a partition of by now, which the target does not have yet. Somebody else's table stays as it is."""
    source.create_database("later")
    source.sql("CREATE TABLE one (id int, v text); ALTER TABLE one REPLICA IDENTITY FULL; INSERT INTO one VALUES (1, 'a'), (2, 'b')", "later")
    target = s.target("postgres", name="later_target")
    sync = (source.uri("later"), target, "--name", "later", "--ddl=off")
    s.sync_until_caught_up(*sync)
    source.sql("""CREATE TABLE whole (id int, v text) PARTITION BY RANGE (id); ALTER TABLE whole ATTACH PARTITION one FOR VALUES FROM (0) TO (10);
        CREATE TABLE two PARTITION OF whole FOR VALUES FROM (10) TO (20); ALTER TABLE two REPLICA IDENTITY FULL; INSERT INTO whole VALUES (3, 'c'), (11, 'k')""", "later")
    s.sync_until_caught_up(*sync)
    s.equal(source, target, tables=[("public", "whole")], database="later")
    source.sql("CREATE TABLE more (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE taken PARTITION OF more FOR VALUES FROM (0) TO (10); INSERT INTO more VALUES (1)", "later")
    target.query("CREATE TABLE taken (id int); INSERT INTO taken VALUES (7)")
    s.sync(*sync, "--until", "caught-up").fails(1, "table public.taken on the target is in the way")
    assert target.query("SELECT count(*) FROM taken") == "1" and target.query("SELECT to_regclass('more') IS NULL") == "t"
    target.query("DROP TABLE taken")
    s.sync_until_caught_up(*sync)
    s.equal(source, target, tables=[("public", "whole"), ("public", "more")], database="later")


def rows_of_a_partition_stay(s):
    """No one tells DuckDB of rows that leave with their partition: they stay, and the log says so. Of what else happens to partitions it says nothing."""
    source, target = s.server(), s.target("duckdb", name="stays")
    source.sql("CREATE TABLE kept (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE kept_1 PARTITION OF kept FOR VALUES FROM (1) TO (10); CREATE TABLE kept_2 PARTITION OF kept "
               "FOR VALUES FROM (10) TO (20); CREATE TABLE kept_3 PARTITION OF kept FOR VALUES FROM (20) TO (30); CREATE TABLE goes (id int PRIMARY KEY) PARTITION BY RANGE (id); "
               "CREATE TABLE goes_1 PARTITION OF goes DEFAULT; INSERT INTO kept SELECT generate_series(1, 29)")
    run = s.sync(source.uri(), target, "--name", "stays")
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
    time.sleep(3)  # it looks at the partitions as they are
    source.sql("ALTER TABLE kept DETACH PARTITION kept_2; DROP TABLE kept_1; DROP TABLE goes; ALTER TABLE kept_3 RENAME TO \"Kept 3\"; "
               "CREATE TABLE kept_4 PARTITION OF kept FOR VALUES FROM (30) TO (40); INSERT INTO kept VALUES (31)")
    scenario.wait_for(lambda: run.stderr.count("was detached or dropped") == 2 or not run.running(), 60, "it is said")
    time.sleep(3)
    assert run.stop() == 0, run.error_tail()
    told = [line for line in run.stderr.split("\n") if "was detached or dropped" in line]
    assert len(told) == 2 and all(f"partition public.kept_{n} of public.kept" in "".join(told) for n in (1, 2)), told
    assert target.query("SELECT count(*) FROM public.kept") == "30", target.query("SELECT count(*) FROM public.kept")


def partitions_come_before_the_snapshot(s, kind):
    """A slot waits for the transactions that are open while it is made; what was looked at before is by then not all that there is, at the beginning and when a table joins."""
    source, target = s.server(), s.target(kind)
    source.sql("CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE part_1 PARTITION OF whole FOR VALUES FROM (0) TO (10); CREATE TABLE part_2 PARTITION OF whole FOR VALUES FROM (10) TO (20) "
               "PARTITION BY LIST (id); CREATE TABLE part_11 PARTITION OF part_2 FOR VALUES IN (11); CREATE TABLE none_yet (id int PRIMARY KEY) PARTITION BY RANGE (id); INSERT INTO whole VALUES (1), (2), (11)")

    def while_it_waits(word, sql):
        scenario.wait_for(lambda: word in run.stderr or not run.running(), 60, word)
        scenario.wait_for(lambda: not run.running() or source.sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender' AND wait_event_type = 'Lock'") == "1", 60, "it waits")
        source.sql(sql)
        s.end_session(session)

    session = s.session(source, "BEGIN; SELECT pg_current_xact_id();\n")
    scenario.wait_for(lambda: source.sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND backend_xid IS NOT NULL") == "1", 60, "it is open")
    run = s.sync(source.uri(), target, "--name", "late")
    while_it_waits("made publication", "CREATE TABLE part_3 PARTITION OF whole FOR VALUES FROM (20) TO (30); CREATE TABLE part_12 PARTITION OF part_2 FOR VALUES IN (12); CREATE TABLE first PARTITION OF none_yet DEFAULT; "
                   "INSERT INTO whole VALUES (3), (12), (21), (22); INSERT INTO none_yet VALUES (5); ALTER TABLE whole DETACH PARTITION part_1; INSERT INTO part_1 VALUES (4); UPDATE whole SET id = 23 WHERE id = 22")
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
    session = s.session(source, "BEGIN; SELECT pg_current_xact_id();\n")
    source.sql("CREATE TABLE joins (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE joins_1 PARTITION OF joins FOR VALUES FROM (0) TO (10); INSERT INTO joins VALUES (1); INSERT INTO whole VALUES (24)")
    while_it_waits("going on with those", "CREATE TABLE joins_2 PARTITION OF joins FOR VALUES FROM (10) TO (20); INSERT INTO joins VALUES (2), (11), (12); DELETE FROM joins WHERE id = 12")
    scenario.wait_for(lambda: "copied public.joins" in run.stderr or not run.running(), 60, "it has joined")
    assert run.stop() == 0, run.error_tail()
    s.sync_until_caught_up(source.uri(), target, "--name", "late")
    s.equal(source, target, tables=[("public", table) for table in ("whole", "none_yet", "joins")])


def main(s):
    if s.case.endswith("-late"):
        return partitions_come_before_the_snapshot(s, s.case[:-5])
    source = s.server()
    kind, _, root = s.case.partition("-")
    source.sql(TABLES + FILL.format(0))
    via_root = root == "root"
    source.sql(f"CREATE PUBLICATION mine FOR TABLE sales, vehicles WITH (publish_via_partition_root = {via_root})")
    target = s.target(kind)

    def sync():
        s.sync_until_caught_up(source.uri(), target, "--name", "parts", "--publication", "mine")

    def compare():
        leaves = ["sales_north", "sales_south_old", "sales_south_new", "sales_other"]
        partitioned = ["sales"] if via_root else leaves
        for table in partitioned:
            s.equal(source, target, tables=[("public", table)])
        # a parent's own rows and its children's rows are each where they belong
        s.equal(source, target, tables=[("public", "cars")])
        shape = source.columns("public", "vehicles")
        only = kind == "postgres"
        there = target.server.copy_out("SELECT id, name FROM ONLY vehicles", target.database) if only else target.rows("public", "vehicles", shape)
        here = [line for line in source.copy_out("SELECT id, name FROM ONLY vehicles")]
        here = here if isinstance(there[0], str) else [tuple(line.split("\t")) for line in here]
        s.same_rows("public.vehicles", here, there)

    sync()
    compare()
    source.sql(FILL.format(100) + CHANGES)
    sync()
    compare()
    assert source.publications() == ["mine"], "a publication that is not ours was touched"

    if via_root and kind != "stdout":
        # an attached partition brings new rows from then on; a detached one's rows stay where they are
        source.sql("CREATE TABLE sales_more PARTITION OF sales FOR VALUES IN ('more')")
        source.sql("INSERT INTO sales VALUES (9000, 'more', '2026-02-02', 1), (9001, 'north', '2026-02-02', 1)")
        sync()
        compare()
    if s.case == "duckdb-root":
        rows_of_a_partition_stay(s)
    if s.case == "postgres-root":
        a_table_becomes_a_partition(s, source)
        a_partition_leaves(s, source)
        leaves_are_tables(s, source)


scenario.run(main, cases=[sink + kind for sink in scenario.SINKS for kind in ("", "-root")] + ["postgres-late", "duckdb-late", "clickhouse-late"])
