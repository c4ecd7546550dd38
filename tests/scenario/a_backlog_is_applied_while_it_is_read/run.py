#!/usr/bin/env python3
"""A large transaction of a backlog goes to a PostgreSQL target while the source still decodes it. Whatever comes before its commit takes it back, and it comes then; nobody sees any of it before.

LOAD_SECONDS=600 makes the load by chance as long.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../load"))
import load_test
import scenario

ROWS = 12000  # more than the 16 MB that make a backlog
EARLY, BACK = "before its commit was read", "is taken back"
LARGE = f"INSERT INTO big SELECT i, 0, repeat('x', 1500) FROM generate_series(1, {ROWS}) AS i; UPDATE big SET n = n + 1 WHERE id % 3 = 0; DELETE FROM big WHERE id % 7 = 0"


class Backlog:
    def __init__(self, s, schema="", settings=None):
        self.s, self.source = s, s.server(settings or {"logical_decoding_work_mem": "1MB"})
        self.source.sql("CREATE TABLE big (id int PRIMARY KEY, n int, filler text); CREATE TABLE small (id int PRIMARY KEY, v text);" + schema)
        self.target = s.target("postgres")
        self.catch_up()

    def options(self):
        return ["--name", "backlog", "--log-level", "debug"]

    def catch_up(self):
        return self.s.sync_until_caught_up(self.source.uri(), self.target, *self.options()).stderr

    def given(self, sql, early, back):
        """What is done while nobody reads comes to the target; early, and taken back before, so many transactions."""
        self.source.sql(sql)
        said = self.catch_up()
        self.s.equal(self.source, self.target)
        assert said.count(EARLY) == early and said.count(BACK) in (back if isinstance(back, tuple) else (back,)), f"{said.count(EARLY)} early, {said.count(BACK)} taken back:\n{said}"
        self.source.sql("TRUNCATE big, small")
        self.catch_up()


def by_itself(s):
    backlog = Backlog(s)
    backlog.given(f"BEGIN; {LARGE}; COMMIT", 1, 0)
    backlog.given(f"INSERT INTO small VALUES (1, 'before'); BEGIN; {LARGE}; TRUNCATE big; INSERT INTO big VALUES (-1, 1, 'after'); COMMIT; INSERT INTO small VALUES (2, 'after'); BEGIN; {LARGE}; COMMIT", 2, 0)


def taken_back(s):
    backlog = Backlog(s)
    # the server may notice that it was rolled back before it sends anything of it
    backlog.given(f"INSERT INTO big VALUES (-5, 0, 'stays'); BEGIN; {LARGE}; ROLLBACK; UPDATE big SET n = 5", 0, (0, 1))
    backlog.given(f"BEGIN; {LARGE}; SAVEPOINT a; INSERT INTO big SELECT -i, 0, 'no' FROM generate_series(1, 10000) AS i; ROLLBACK TO a; INSERT INTO big VALUES (-7, 7, 'yes'); COMMIT", 0, 1)
    backlog.given(f"BEGIN; {LARGE}; CREATE INDEX ON big (n); INSERT INTO big VALUES (-7, 7, 'yes'); COMMIT", 0, 1)
    # its first row is already of a table that is another by now
    backlog.given(f"BEGIN; {LARGE}; ALTER TABLE big ADD more int DEFAULT 5; INSERT INTO big VALUES (-7, 7, 'yes', 9); COMMIT", 0, 0)
    assert backlog.target.query("SELECT count(*) FROM pg_attribute WHERE attrelid = 'big'::regclass AND attname = 'more'") == "1"


def among_others(s):
    """Others commit while it is in progress, before and after its first block; the server sends it in blocks all the same."""
    backlog = Backlog(s)
    large = s.session(backlog.source, f"BEGIN; {LARGE};")
    backlog.source.sql("INSERT INTO small VALUES (1, 'meanwhile')")
    large.stdin.write("UPDATE big SET n = n + 1; COMMIT;\n")
    s.end_session(large)
    backlog.given("UPDATE small SET v = 'after'", 0, 1)
    large = s.session(backlog.source, "BEGIN; INSERT INTO big VALUES (-1, 0, 'first');")
    backlog.source.sql("INSERT INTO small VALUES (2, 'meanwhile')")
    large.stdin.write(f"{LARGE}; COMMIT;\n")
    s.end_session(large)
    backlog.given("UPDATE small SET v = 'after'", 0, 0)


def still_open(s):
    """It is in progress when the stream begins, and goes on after it: what the target has of it holds up nobody there, and others pass it."""
    backlog = Backlog(s)
    large = s.session(backlog.source, f"BEGIN; {LARGE};")
    run = s.sync(backlog.source.uri(), backlog.target, *backlog.options())
    scenario.wait_for(lambda: not run.running() or BACK in run.stderr, 60, "it is taken back")
    assert backlog.target.query("SELECT count(*) FROM big") == "0"
    backlog.source.sql("INSERT INTO small VALUES (1, 'passes')")
    scenario.wait_for(lambda: not run.running() or backlog.target.query("SELECT v FROM small") == "passes", 60, "another transaction arrives")
    large.stdin.write("INSERT INTO big VALUES (-1, 0, 'last'); COMMIT;\n")
    s.end_session(large)
    scenario.wait_for(lambda: not run.running() or backlog.target.query("SELECT filler FROM big WHERE id = -1") == "last", 60, "and it, in the end")
    assert run.stop() == 0, run.error_tail()
    s.equal(backlog.source, backlog.target)


def refused(s):
    """What the target refuses of a transaction that does not commit is no failure; of one that does, it is."""
    backlog = Backlog(s)
    backlog.target.query("ALTER TABLE big ADD CONSTRAINT positive CHECK (n >= 0)")
    # some pieces of a batch: what became of one is seen when the next is due
    refused = "BEGIN; INSERT INTO big SELECT i, -1, repeat('x', 500) FROM generate_series(1, 40000) AS i;"
    large = s.session(backlog.source, refused)
    run = s.sync(backlog.source.uri(), backlog.target, *backlog.options())
    scenario.wait_for(lambda: not run.running() or "trying again" in run.stderr, 60, "it is refused")
    large.stdin.write("ROLLBACK; INSERT INTO small VALUES (1, 'fine');\n")
    s.end_session(large)
    scenario.wait_for(lambda: not run.running() or backlog.target.query("SELECT v FROM small") == "fine", 60, "it goes on without it")
    assert run.stop() == 0, run.error_tail()
    s.equal(backlog.source, backlog.target)
    backlog.source.sql(f"{refused} COMMIT")
    failed = s.sync(backlog.source.uri(), backlog.target, *backlog.options(), "--until", "caught-up").fails(1, ["positive"])
    assert "trying again" in failed.stderr and EARLY not in failed.stderr, failed.stderr
    assert backlog.target.query("SELECT count(*) FROM big") == "0"
    backlog.target.query("ALTER TABLE big DROP CONSTRAINT positive")
    backlog.catch_up()
    s.equal(backlog.source, backlog.target)


def killed(s):
    """Killed in the midst of it, again and again."""
    backlog = Backlog(s)
    backlog.source.sql(f"INSERT INTO small VALUES (1, 'before'); BEGIN; {LARGE}; COMMIT; BEGIN; UPDATE big SET n = 9; COMMIT; INSERT INTO small VALUES (2, 'after')")
    for pause in (0.2, 0.5, 0.9, 1.4):
        run = s.sync(backlog.source.uri(), backlog.target, *backlog.options(), "--until", "caught-up")
        time.sleep(pause)
        run.kill()
        assert backlog.target.query(f"SELECT count(*) IN (0, {ROWS} - {ROWS} / 7) FROM big") == "t", "some of it is seen"
    backlog.catch_up()
    s.equal(backlog.source, backlog.target)


def no_room(s):
    """Beside being applied it is kept on disk until its end. Where there is no room for that, it comes after its commit, from the server. Mounting a small disk needs root."""
    if os.geteuid() != 0:
        print("SKIPPED: mounting a small disk needs root")
        return
    with scenario.mounted(s.state, "size=6m,mode=0777", lazy=True):
        backlog = Backlog(s)
        backlog.source.sql(f"BEGIN; {LARGE}; COMMIT")
        said = backlog.catch_up()
        s.equal(backlog.source, backlog.target)
        assert "cannot write a spill file" in said and "trying again" in said and EARLY not in said, said


def by_chance(s):
    load_test.play(s, s.seed, float(os.environ.get("LOAD_SECONDS", "6")), 12, backlog=True)


CASES = {"by_itself": by_itself, "taken_back": taken_back, "among_others": among_others, "still_open": still_open, "refused": refused, "killed": killed, "no_room": no_room, "by_chance": by_chance}
scenario.run(lambda s: CASES[s.case](s), cases=list(CASES))
