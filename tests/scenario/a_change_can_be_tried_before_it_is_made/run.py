#!/usr/bin/env python3
"""--ddl-dry-run says what commands would do at the target, or why the pipeline would stop there, and leaves nothing at either end: neither what the
commands do nor what it takes to see it."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLE = "CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE t (id int PRIMARY KEY, v text, m mood); INSERT INTO t VALUES (1, 'a', 'sad')"
ADD_AND_RENAME = "ALTER TABLE t ADD COLUMN w int DEFAULT 5; ALTER TABLE t RENAME v TO vv; ALTER TABLE t DROP m"


def at_source(source):
    return source.sql("SELECT count(*) FROM pg_event_trigger"), source.sql("SELECT to_regnamespace('pgconvoy') IS NULL"), source.columns("public", "t")


def at_target(target):
    if target.name == "bigquery":
        return target.tables(), target.fields("public", "t")
    if target.name == "snowflake":
        return target.tables(), {name: column.kind for name, column in target.fields("public", "t").items()}
    return target.types("public", "t") if hasattr(target, "types") else target.query(
        "SELECT json_agg((attname, atttypid, attnotnull) ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'public.t'::regclass AND attnum > 0")


class Trial:
    def __init__(self, s, source, target):
        self.s, self.source, self.target = s, source, target

    def says(self, commands, *words, status=0, problem=""):
        """Whether the end of it is this, and the words are said in their order."""
        before = at_source(self.source), at_target(self.target)
        run = self.s.pgconvoy("sync", self.source.uri(), self.target.uri, "--name", "tried", "--ddl-dry-run", commands)
        assert run.wait(60) == status and problem in run.stderr, f"{commands}: status {run.status}\n{run.stdout}\n{run.stderr}"
        assert not run.stdout.startswith("GRANT"), run.stdout
        at = 0
        for word in words:
            at = run.stdout.find(word, at)
            assert at >= 0, f"{commands}: {word} is not said\n{run.stdout}"
        assert (at_source(self.source), at_target(self.target)) == before, "something is left of a trial"


def postgres(s):
    """While the pipeline runs."""
    source = s.server()
    source.sql(TABLE)
    target = s.target("postgres")
    run = s.sync(source.uri(), target, "--name", "tried", "--ddl=off")
    scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
    target.query("INSERT INTO t VALUES (100, NULL)")
    trial = Trial(s, source, target)
    trial.says(ADD_AND_RENAME, "ALTER TABLE public.t", "would run: ALTER TABLE t ADD COLUMN w int DEFAULT 5", "would run: ALTER TABLE t RENAME v TO vv")
    trial.says("ALTER TYPE mood ADD VALUE 'ok'; CREATE INDEX CONCURRENTLY ON t (v)", "would run: ALTER TYPE mood ADD VALUE 'ok'", "CREATE INDEX")
    assert target.query("SELECT string_agg(enumlabel, ',') FROM pg_enum") == "sad"
    trial.says("DO $$ BEGIN EXECUTE 'ALTER TABLE t ADD u uuid DEFAULT gen_random_uuid()'; END $$", "would be copied anew", "t")
    trial.says("CREATE TABLE fresh (id int)", "CREATE TABLE", "would run", "would join the pipeline")
    # why it would stop: by what the target alone has
    trial.says("ALTER TABLE t ALTER v SET NOT NULL", "would stop", status=3, problem="contains null values")
    # what is refused at the source, and what no trial is for
    trial.says("ALTER TABLE nothing ADD x int", status=1, problem="the source refuses")
    trial.says("ALTER TABLE t ADD x int; COMMIT", status=2, problem="about transactions")
    trial.says(" ; ", status=2, problem="no command")
    # nothing is there to be compared with
    other = s.pgconvoy("sync", source.uri(), target.uri, "--name", "other", "--ddl-dry-run", "ALTER TABLE t ADD x int")
    assert other.wait(60) == 1 and "has nothing in the target yet" in other.stderr, other.stderr
    assert run.running() and run.stop() == 0, run.error_tail()
    assert "DDL" not in s.pgconvoy("status", "tried").ok().stdout


def copied(s, target):
    source = s.server()
    source.sql(TABLE)
    s.sync_until_caught_up(source.uri(), target, "--name", "tried")
    return Trial(s, source, target)


def duckdb(s):
    trial = copied(s, s.target("duckdb"))
    trial.says(ADD_AND_RENAME, 'ADD COLUMN "w" INTEGER', 'RENAME COLUMN "v" TO "vv"', 'DROP COLUMN "m"')
    trial.says("COMMENT ON TABLE t IS 'said'", "nothing is to be done")
    trial.says("ALTER TABLE t ALTER v TYPE int USING 1", "would be copied anew: column v of table public.t changes its type")
    trial.says("DROP TABLE t", "DROP TABLE IF EXISTS")


def clickhouse(s):
    """Tried with the table as it is: what all commands together leave."""
    trial = copied(s, s.target("clickhouse"))
    trial.says(ADD_AND_RENAME, "DROP COLUMN IF EXISTS", "RENAME COLUMN", "ADD COLUMN IF NOT EXISTS")
    trial.says("ALTER TABLE t ALTER m TYPE int USING 1", "would be copied anew: column m of table public.t changes its type")
    trial.says("ALTER TABLE t RENAME TO tt; ALTER TABLE tt ADD x int", "RENAME TABLE", "ADD COLUMN")
    trial.says("CREATE INDEX ON t (v)", "nothing is to be done")


def bigquery(s):
    """A stand-in's: what is done at once and what follows a commit, of which nothing is done."""
    trial = copied(s, s.service("bigquery", "tried"))
    trial.says(ADD_AND_RENAME, "ADD COLUMN IF NOT EXISTS", "UPDATE", "RENAME COLUMN IF EXISTS", "DROP COLUMN IF EXISTS")
    trial.says("ALTER TABLE t ALTER v TYPE int USING 1", "would be copied anew: column v of table public.t changes its type")
    trial.says("COMMENT ON TABLE t IS 'said'", "nothing is to be done")


def snowflake(s):
    """A stand-in's, likewise."""
    trial = copied(s, s.service("snowflake", "tried"))
    trial.says(ADD_AND_RENAME, "ADD COLUMN IF NOT EXISTS", "UPDATE", "RENAME COLUMN", "DROP COLUMN IF EXISTS")
    trial.says("ALTER TABLE t ALTER v TYPE int USING 1", "would be copied anew: column v of table public.t changes its type")
    trial.says("ALTER TABLE t RENAME TO tt", "RENAME TO")


CASES = {"bigquery": bigquery, "snowflake": snowflake, "postgres": postgres, "duckdb": duckdb, "clickhouse": clickhouse}
scenario.run(lambda s: CASES[s.case](s), cases=list(CASES))
