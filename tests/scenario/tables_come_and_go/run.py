#!/usr/bin/env python3
"""A table that is added to the publication while the pipeline runs, or that its patterns choose, is copied and joins the stream without a
restart; one that is taken out leaves, and is copied anew when it comes back. Under load, and with no row lost or doubled."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

LOAD = """
\\set id random(1, 1000)
INSERT INTO old (text) VALUES ('load');
INSERT INTO joining (id, n) VALUES (:id, 1) ON CONFLICT (id) DO UPDATE SET n = joining.n + 1;
"""
OLD, JOINING = ("public", "old"), ("public", "joining")


class Follower:
    """A sync that runs on; where the target's file is locked meanwhile it rests for a comparison."""

    def __init__(self, s, source, target, options):
        self.s, self.source, self.target, self.options = s, source, target, options
        self.run = s.sync(source.uri(), target, *options)
        self.streams(0)

    def said(self, words):
        return sum(run.stderr.count(words) for run in self.s.runs)

    def says(self, words, times=1):
        scenario.wait_for(lambda: self.said(words) >= times or not self.run.running(), 60, f"it says {words} ({times})")
        assert self.run.running(), self.run.error_tail()

    def streams(self, before):
        """Waits for one more beginning of the stream than there were before."""
        self.says("streaming changes", before + 1)

    def durable(self):
        end = self.source.current_lsn()
        name = next(iter(self.source.slots()))
        scenario.wait_for(lambda: not self.run.running() or self.source.sql(
            f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots WHERE slot_name = '{name}'") == "t", 60, "all is durable")
        assert self.run.running(), self.run.error_tail()

    def equal(self, *tables):
        self.durable()
        began = self.said("streaming changes")
        rests = self.target.name == "duckdb"
        if rests:
            assert self.run.stop() == 0, self.run.error_tail()
        self.s.equal(self.source, self.target, tables=tables)
        if rests:
            self.run = self.s.sync(self.source.uri(), self.target, *self.options)
            self.streams(began)


def main(s):
    kind, how = s.case.split("-")
    if how == "swapped":
        return while_nobody_looks(s, kind)
    source = s.server()
    source.sql("CREATE TABLE old (id serial PRIMARY KEY, text text); INSERT INTO old (text) VALUES ('first')")
    create = "CREATE TABLE joining (id int PRIMARY KEY, n int)"
    publication, options = "pgconvoy_go", ["--name", "go", "-n", "public"]
    if how == "publication":
        publication, options = "mine", ["--name", "go", "--publication", "mine"]
        source.sql(create + "; CREATE PUBLICATION mine FOR TABLE old")
    target = s.target(kind)
    follower = Follower(s, source, target, options)
    if how == "patterns":
        source.sql(create)
    load = s.load(source.pgbench("-c", 2, "-T", 60, script=LOAD))
    scenario.wait_for(lambda: int(source.sql("SELECT count(*) FROM joining")) > 50, 30, "there are rows")
    if how == "publication":
        source.sql("ALTER PUBLICATION mine ADD TABLE joining")
    follower.says("copied public.joining:")
    follower.streams(1)
    before = source.sql("SELECT sum(n) FROM joining")
    scenario.wait_for(lambda: source.sql("SELECT sum(n) FROM joining") != before, 30, "the load goes on")
    load.stop()
    follower.equal(OLD, JOINING)

    # taken out: what is written meanwhile does not arrive, and patterns do not bring it back; put in again: copied anew
    began = follower.said("streaming changes")
    source.sql(f"ALTER PUBLICATION {publication} DROP TABLE joining")
    follower.says("joining has left the pipeline")
    follower.streams(began)
    source.sql("DELETE FROM joining WHERE id % 2 = 0; UPDATE joining SET n = -1; INSERT INTO old (text) VALUES ('while it was out')")
    follower.equal(OLD)
    began = follower.said("streaming changes")
    source.sql(f"ALTER PUBLICATION {publication} ADD TABLE joining")
    follower.says("copied public.joining:", 2)
    source.sql("INSERT INTO joining VALUES (5000, 1)")
    follower.streams(began)
    follower.durable()
    if kind != "stdout":  # there its lines are a history: the second copy stands behind the first
        follower.equal(OLD, JOINING)

    # dropped and made anew, with other rows
    if how == "patterns":
        began = follower.said("streaming changes")
        source.sql(f"DROP TABLE joining; {create}; INSERT INTO joining VALUES (1, 1)")
        follower.says("copied public.joining:", 3)
        source.sql("CREATE TABLE keyless (id int); INSERT INTO keyless VALUES (1)")
        follower.says("public.keyless does not join")
        source.sql("UPDATE keyless SET id = 2; INSERT INTO joining VALUES (2, 2)")
        follower.streams(began)
        follower.equal(OLD, JOINING)
    assert follower.run.stop() == 0, follower.run.error_tail()


SWAP = """CREATE TABLE next (LIKE lone INCLUDING ALL); INSERT INTO next SELECT id, n + 10 FROM lone WHERE id > 2; INSERT INTO lone VALUES (100, 0);
ALTER TABLE lone RENAME TO before; ALTER TABLE next RENAME TO lone; UPDATE lone SET n = -1 WHERE id = 4; DROP TABLE before"""


def before_anything_is_streamed(s, source, target):
    """The same while the position is still that of the copy's end, of a table that has become another one before."""
    source.sql("CREATE TABLE lone (id int PRIMARY KEY, n int); INSERT INTO lone VALUES (1, 1); CREATE TABLE twin (id int PRIMARY KEY, n int, last text)", "early")
    run = s.sync(source.uri("early"), target, "--name", "early")
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
    run.kill()
    source.sql("ALTER TABLE lone ALTER n TYPE text; CREATE TABLE next (LIKE lone INCLUDING ALL); INSERT INTO next VALUES (2, 'two'); ALTER TABLE lone RENAME TO before; "
               "ALTER TABLE next RENAME TO lone; DROP TABLE before", "early")
    s.sync_until_caught_up(source.uri("early"), target, "--name", "early")
    s.equal(source, target, database="early", tables=[("public", "lone"), ("public", "twin")])
    # rows of before a command, whose column has a name by now that another one had; a partitioned table that comes meanwhile
    source.sql("INSERT INTO twin VALUES (1, 1); ALTER TABLE twin ADD u uuid DEFAULT md5(random()::text)::uuid; ALTER TABLE twin RENAME n TO s; ALTER TABLE twin RENAME u TO n; "
               "ALTER TABLE twin RENAME s TO u; ALTER TABLE twin DROP last, ADD last text; CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id); "
               "CREATE TABLE part PARTITION OF parted DEFAULT; INSERT INTO parted VALUES (1)", "early")
    for _ in range(2):
        s.sync_until_caught_up(source.uri("early"), target, "--name", "early")
        s.equal(source, target, database="early", tables=[("public", "twin"), ("public", "parted")])
    s.pgconvoy("drop", "early").ok()


def a_stream_takes_what_comes_later(s, source, target):
    """stream copies nothing of what is there when it begins. A table that comes later has all its rows, also those of before it joined; so has one whose new values only the source knows."""
    source.sql("CREATE TABLE there (id int PRIMARY KEY, n int); INSERT INTO there VALUES (1, 1); CREATE TABLE other (LIKE there INCLUDING ALL)", "born")
    stream = ("stream", source.uri("born"), target.uri, "--name", "born")
    run = s.pgconvoy(*stream)
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
    source.sql("INSERT INTO there VALUES (2, 2); CREATE TABLE comes (id int PRIMARY KEY); INSERT INTO comes VALUES (1)", "born")
    scenario.wait_for(lambda: "copied public.comes" in run.stderr or not run.running(), 60, "it has joined")
    assert target.query("SELECT string_agg(id::text, ',') FROM there") == "2"
    assert run.stop() == 0, run.error_tail()
    source.sql("CREATE TABLE away (id int PRIMARY KEY); INSERT INTO away VALUES (1); INSERT INTO comes VALUES (2); INSERT INTO other VALUES (1, 1); "
               "ALTER TABLE other ADD u uuid DEFAULT md5(random()::text)::uuid; INSERT INTO other VALUES (2, 2)", "born")
    for _ in range(2):
        s.pgconvoy(*stream, "--until", "caught-up").ok()
    s.equal(source, target, database="born", tables=[("public", "comes"), ("public", "away"), ("public", "other")])
    assert target.query("SELECT string_agg(id::text, ',') FROM there") == "2"
    s.pgconvoy("drop", "born").ok()


def while_nobody_looks(s, kind):
    """All of it happens between two runs: the name is another table's, the last table goes, one comes, one is taken out."""
    source = s.server()
    if kind == "postgres":
        source.create_database("early")
        before_anything_is_streamed(s, source, s.target(kind, name="to_early"))
        source.create_database("born")
        a_stream_takes_what_comes_later(s, source, s.target(kind, name="to_born"))
    source.sql("CREATE TABLE lone (id int PRIMARY KEY, n int); INSERT INTO lone SELECT g, g FROM generate_series(1, 5) g")
    target, lone = s.target(kind), ("public", "lone")

    def again():
        return s.sync_until_caught_up(source.uri(), target, "--name", "go")

    again()
    source.sql(SWAP)
    again()
    s.equal(source, target, tables=[lone])
    if kind == "postgres":  # two tables, each under the other's name by now, and rows under both names
        source.sql("CREATE TABLE twin (id int PRIMARY KEY, n int); INSERT INTO twin VALUES (1, 1), (2, 2)")
        again()
        source.sql("INSERT INTO twin VALUES (3, 3); UPDATE lone SET n = 50 WHERE id = 5; BEGIN; ALTER TABLE lone RENAME TO swap; ALTER TABLE twin RENAME TO lone; "
                   "ALTER TABLE swap RENAME TO twin; INSERT INTO lone VALUES (6, 6); UPDATE twin SET n = 51 WHERE id = 5; COMMIT; DELETE FROM lone WHERE id = 1; INSERT INTO twin VALUES (60, 0)")
        again()
        s.equal(source, target, tables=[lone, ("public", "twin")])
        source.sql("DROP TABLE twin")
    source.sql("INSERT INTO lone VALUES (200, 0); DROP TABLE lone")
    again()
    source.sql("CREATE TABLE lone (id int PRIMARY KEY, n int, t text); INSERT INTO lone VALUES (7, 7, 'new'); CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1)")
    again()
    s.equal(source, target, tables=[lone, ("public", "other")])
    # the slot's horizon goes past the table's making, as it does while a stream runs: then it is the one that somebody took out
    horizon = "SELECT pg_catalog.age(catalog_xmin) FROM pg_replication_slots"
    made = "SELECT pg_catalog.age(xmin) FROM pg_attribute WHERE attrelid = 'lone'::regclass AND attname = 'tableoid'"

    def moved():
        source.sql("CHECKPOINT; INSERT INTO other SELECT max(id) + 1 FROM other")
        again()
        return int(source.sql(horizon)) < int(source.sql(made))

    scenario.wait_for(moved, 60, "the slot needs no catalog of before the table")
    source.sql("ALTER PUBLICATION pgconvoy_go DROP TABLE lone; INSERT INTO lone VALUES (8, 8, 'out')")
    assert "lone has left the pipeline" in again().stderr
    source.sql("INSERT INTO lone VALUES (9, 9, 'out')")
    again()
    assert "lone" not in source.sql("SELECT tablename FROM pg_publication_tables"), "patterns brought back what somebody took out"
    assert len(target.rows("public", "lone", source.columns("public", "lone"))) == 1, "rows of a table that was taken out"


LONG = ["duckdb-swapped", "duckdb-patterns", "duckdb-publication", "stdout-publication", "postgres-publication"]
scenario.run(main, cases=["postgres-patterns", "postgres-swapped"] + (LONG if os.environ.get("SCENARIO_FULL") or sys.argv[1:] not in ([], ["--list"]) else []))
