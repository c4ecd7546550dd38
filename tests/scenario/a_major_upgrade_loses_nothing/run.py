#!/usr/bin/env python3
"""Source and target are upgraded from 15 to 17 by pg_upgrade itself while a pipeline is theirs, by the commands of docs/guides/upgrade.md as they stand, with a load before and after: the ends are equal, no table is copied
again, and the target's sequences give out no value twice.

pg_upgrade comes from Debian 13's packages (scripts/fetch-pg-upgrade); skipped, with that word, where they cannot be had.
"""
import copy
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario
from guides import commands, environment
from server import TOP

SHOP = """
CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE SCHEMA "Other one";
CREATE TABLE log (id bigserial PRIMARY KEY, at timestamptz DEFAULT now(), v text);
CREATE TABLE counter (id int PRIMARY KEY, n int, how mood DEFAULT 'ok', list int[]); INSERT INTO counter SELECT i, 0, 'sad', ARRAY[i, NULL] FROM generate_series(1, 20) i;
CREATE TABLE "Other one"."a table" (a int, b text); ALTER TABLE "Other one"."a table" REPLICA IDENTITY FULL; INSERT INTO "Other one"."a table" SELECT i, repeat('long ', 1000) FROM generate_series(1, 50) i;
CREATE TABLE days (id int, day int, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM (0) TO (10); CREATE TABLE days_2 PARTITION OF days DEFAULT;
INSERT INTO days SELECT i, i % 20, 'day ' || i FROM generate_series(1, 200) i;
CREATE TABLE still (id int PRIMARY KEY, v text); INSERT INTO still SELECT i, 'never written to again' FROM generate_series(1, 500) i;
"""
LOAD = r"""
\set id random(1, 20)
\set many random(1, 200)
INSERT INTO log (v) VALUES ('x');
UPDATE counter SET n = n + 1, list = list || 7 WHERE id = :id;
BEGIN;
UPDATE "Other one"."a table" SET a = a + 1000 WHERE a % 50 = :id;
UPDATE days SET day = (day + 7) % 20 WHERE id = :many;
COMMIT;
DELETE FROM log WHERE id = :many;
"""
# What comes in which order in the guide.
STEPS = ["pgconvoy sync", "pgconvoy verify", "pgconvoy drop", "initdb -D", "cp /srv/postgres/15/postgresql.conf", "pg_ctl -D", "pg_upgrade -b", "pg_ctl -D", "pgconvoy stream", "pgconvoy sync", "vacuumdb --all"]
BEFORE, UPGRADE, PREPARE, GO_ON, ANALYZE = slice(0, 3), slice(3, 8), 8, 9, 10


def programs():
    """The folder of a PostgreSQL 17 that has pg_upgrade, or nothing."""
    fetched = subprocess.run([os.path.join(TOP, "scripts/fetch-pg-upgrade")], stdout=subprocess.PIPE, text=True)
    assert fetched.returncode in (0, 3), "scripts/fetch-pg-upgrade failed"
    return fetched.stdout.strip() or None


class Upgrade:
    """The guide's commands, with folders and addresses of here in place of the guide's. An upgraded server has the old one's port and socket."""

    def __init__(self, s, new_programs):
        self.s, self.new_programs, self.env = s, new_programs, environment(s)
        self.lines = commands("upgrade.md", "$#")
        steps = [" ".join(line.split()[:2]) for _, line in self.lines]
        assert [step.split("/")[-1] if step.startswith("/") else step for step in steps] == STEPS, steps
        self.source, self.target = s.server(), s.server()
        self.source.create_database("shop", SHOP)
        self.target.create_database("shop")

    def here(self, line, server=None):
        """A command as it is run here, where `server` is the one to be upgraded."""
        words = [("postgres://me@db.example/shop", self.source.uri("shop")), ("postgres://me@copy.example/shop", self.target.uri("shop"))]
        if server:
            words += [("/usr/lib/postgresql/17/bin", self.new_programs), ("/usr/lib/postgresql/15/bin", server.binaries), ("/srv/postgres/17.log", server.folder + "/17.log"),
                      ("/srv/postgres/17", server.data + "-17"), ("/srv/postgres/15", server.data)]
        for word, there in words:
            line = line.replace(word, there)
        return line

    def run(self, lines, server=None):
        for prompt, line in lines:
            prefix = server.user_prefix if prompt == "#" else []
            env = {**self.env, **({"PGHOST": server.folder, "PGPORT": str(server.port), "PGUSER": "postgres"} if "vacuumdb" in line else {})}
            with open(os.path.join(self.s.folder, "said"), "w+") as said:  # no pipe: a server that pg_ctl starts keeps it open
                done = subprocess.run([*prefix, "bash", "-c", self.here(line, server)], cwd=server.folder if server else "/", env=env, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
                said.seek(0)
                assert done.returncode == 0, f"{line}\n{said.read()[-4000:]}"

    def upgrade(self, server):
        """The upgraded server; the old one's folder stays as it was."""
        self.run(self.lines[UPGRADE], server)
        new = copy.copy(server)
        new.data, new.log, new.binaries = server.data + "-17", server.folder + "/17.log", self.new_programs
        self.s.servers.append(new)
        assert (new.version, new.sql("SHOW data_directory")) == (17, new.data)
        return new

    def sync(self):
        """The pipeline's command, in the background."""
        return self.s.pgconvoy(*self.here(self.lines[GO_ON][1]).split()[1:], bare=True, env=self.env)

    def streams(self, run):
        scenario.wait_for(lambda: "streaming changes from" in run.stderr or not run.running(), 60, "it streams")
        assert run.running(), run.error_tail()

    def under_load(self, rows):
        """Until the source has so many more of them."""
        last = int(self.source.sql("SELECT last_value FROM log_id_seq", "shop"))
        scenario.wait_for(lambda: int(self.source.sql("SELECT last_value FROM log_id_seq", "shop")) > last + rows, 60, "there are writes")
        assert all(load.running() for load in self.s.loads[-1:]), open(self.s.loads[-1].log).read()

    def load(self):
        return self.s.load(self.source.pgbench("-c", 2, "-T", 3600, "--max-tries", 100, database="shop", script=LOAD))

    def marked(self):
        """A row that only the target has says later whether its table was copied again."""
        self.target.sql("INSERT INTO still VALUES (-1, 'the target''s own')", "shop")

    def equal(self):
        assert self.target.sql("DELETE FROM still WHERE id = -1 RETURNING v", "shop") == "the target's own", "a table was copied again"
        self.run([("$", self.lines[0][1]), ("$", self.lines[1][1])])
        assert len(self.source.tables("shop")) == 5
        self.s.equal(self.source, scenario.PostgresTarget(self.target, "shop"), database="shop")
        gives, used = (int(server.sql(query, "shop")) for server, query in ((self.target, "SELECT nextval('log_id_seq')"), (self.source, "SELECT last_value FROM log_id_seq")))
        assert gives > used, f"the target's sequence gives {gives}, but {used} is used"


def source(s, new_programs):
    u = Upgrade(s, new_programs)
    run, load = u.sync(), u.load()
    u.streams(run)
    u.under_load(300)
    # nobody writes any more, and the pipeline stops with changes that it has not brought yet
    assert run.stop() == 0, run.error_tail()
    u.under_load(100)
    load.stop()
    u.run(u.lines[BEFORE])
    rows = u.source.sql("SELECT count(*), max(id), sum(hashtext(t::text)::bigint) FROM log t", "shop")
    u.marked()
    u.source = u.upgrade(u.source)
    assert u.source.sql("SELECT count(*), max(id), sum(hashtext(t::text)::bigint) FROM log t", "shop") == rows
    assert u.source.sql("SELECT (SELECT count(*) FROM pg_event_trigger) + (SELECT count(*) FROM pg_publication)", "shop") == "0"
    u.run([u.lines[PREPARE]])
    load = u.load()
    u.under_load(100)
    run = u.sync()
    u.streams(run)
    u.run([u.lines[ANALYZE]], u.source)
    u.source.sql("ALTER TABLE counter ADD since date DEFAULT '2026-01-01'; CREATE TABLE later (id int PRIMARY KEY); INSERT INTO later VALUES (1); DROP TABLE later", "shop")
    u.under_load(300)
    load.stop()
    assert run.stop() == 0, run.error_tail()
    u.equal()


def target(s, new_programs):
    u = Upgrade(s, new_programs)
    run, load = u.sync(), u.load()
    u.streams(run)
    u.under_load(300)
    assert run.stop() == 0, run.error_tail()
    u.marked()
    u.target = u.upgrade(u.target)
    run = u.sync()
    u.streams(run)
    u.source.sql("ALTER TABLE counter ADD since date DEFAULT '2026-01-01'", "shop")
    u.under_load(300)
    load.stop()
    assert run.stop() == 0, run.error_tail()
    u.equal()
    assert int(u.target.sql("SELECT count(*) FROM pg_replication_origin", "shop")) == 1


def main(s):
    new_programs = programs()
    if not new_programs:
        print("SKIPPED")
        return
    {"source": source, "target": target}[s.case](s, new_programs)


scenario.run(main, cases=["source", "target"])
