#!/usr/bin/env python3
"""A backlog of small transactions goes to a PostgreSQL target in batches, each committed with its position while the next one is gathered: nobody sees part of a transaction,
wherever a batch ends, and a process that is killed in between goes on after the last batch."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TRANSACTIONS = 16000
SCHEMA = "".join(f"CREATE TABLE {name} (id int PRIMARY KEY, n int, note text);" for name in ("a", "b")) + \
    "CREATE TABLE counter (id int PRIMARY KEY, n int); INSERT INTO counter SELECT i, 0 FROM generate_series(1, 500) AS i;" + \
    "CREATE TABLE bare (id int, n int); ALTER TABLE bare REPLICA IDENTITY FULL; INSERT INTO bare SELECT i, 0 FROM generate_series(1, 10) AS i;" + \
    "".join(f"CREATE TABLE t{number} (id int PRIMARY KEY, n int);" for number in range(40)) + "CREATE SEQUENCE ids"
SMALL = """\\set c random(1, 500)
\\set t random(0, 39)
\\set bare random(1, 40)
SELECT nextval('ids') AS id \\gset
BEGIN;
INSERT INTO a VALUES (:id, :c, 'first');
UPDATE counter SET n = n + 1 WHERE id = :c;
INSERT INTO t:t VALUES (:id, 1);
\\if :bare <= 10
UPDATE bare SET n = n + 1 WHERE id = :bare;
INSERT INTO a VALUES (-:id - 100000000, 1, 'bare');
INSERT INTO b VALUES (-:id - 100000000, 1, 'bare');
\\endif
INSERT INTO b VALUES (:id, :c, 'second');
COMMIT;
"""
LARGE = "BEGIN; " + "".join(f"INSERT INTO {name} SELECT -i, {{n}}, 'large' FROM generate_series({{first}}, {{last}}) AS i; " for name in ("a", "b")) + "COMMIT"
# what is seen at one moment: rows without their other one, counts that are not what was inserted with them (in a table without a key, too, whose changes are applied at once), and how much there is
SEEN = "SELECT (SELECT count(*) FROM a FULL JOIN b USING (id) WHERE a.n IS DISTINCT FROM b.n), (SELECT sum(n) FROM counter) - (SELECT count(*) FROM a WHERE note = 'first'), " \
    "(SELECT sum(n) FROM bare) - (SELECT count(*) FROM a WHERE note = 'bare'), (SELECT count(*) FROM a)"


class Backlog:
    def __init__(self, s):
        self.s, self.source = s, s.server()
        self.source.sql(SCHEMA)
        self.target = s.target("postgres")
        self.catch_up()

    def begin(self):
        return self.s.sync(self.source.uri(), self.target, "--name", "backlog", "--until", "caught-up")

    def catch_up(self):
        self.begin().ok(60)

    def fill(self, number=0):
        for part, rows in enumerate((9000, 30000, 200)):
            first = (number * 3 + part) * 100000
            self.source.pgbench("-c", 4, "-t", TRANSACTIONS // 12, script=SMALL).wait()
            self.source.sql(LARGE.format(n=part, first=first + 1, last=first + rows))

    def look(self):
        torn, counted, bare, rows = map(int, self.target.query(SEEN).split("|"))
        assert (torn, counted, bare) == (0, 0, 0), f"{torn} rows without their other one, {counted} and {bare} counted too often, of {rows}"
        return rows


def whole(s):
    backlog = Backlog(s)
    backlog.fill()
    run, seen = backlog.begin(), set()
    while run.running():
        seen.add(backlog.look())
    run.ok(60)
    assert len(seen) > 3, f"all that came was committed in {len(seen)} pieces"
    s.equal(backlog.source, backlog.target)


def killed(s):
    """What was committed before it was killed is not applied again: counters would show it."""
    backlog = Backlog(s)
    for number in range(2):
        backlog.fill(number)
        before = backlog.look()
        run = backlog.begin()
        scenario.wait_for(lambda: backlog.look() > before, 60, "a batch is committed")
        run.kill()
        backlog.look()
    backlog.catch_up()
    backlog.look()
    s.equal(backlog.source, backlog.target)


CASES = {"whole": whole, "killed": killed}

scenario.run(lambda s: CASES[s.case](s), cases=list(CASES))
