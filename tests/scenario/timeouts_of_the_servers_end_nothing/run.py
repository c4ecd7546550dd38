#!/usr/bin/env python3
"""
Whoever runs a server sets timeouts for those who forget to close what they opened. A copy lasts longer than they are, a stream rests longer, and a sync has
sessions that do nothing while others work: none of it is ended, and nothing has to be tried again. On the newest server, which has them all.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TIMEOUTS = ("statement_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout", "transaction_timeout", "lock_timeout")
SHORT = 0.3  # seconds, of each
ROWS = 4

# Each row takes longer than the timeouts to be written, and to be compared.
TABLES = f"""
CREATE FUNCTION takes_long(int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(0.25); RETURN true; END $$;
CREATE DOMAIN slow AS int; CREATE TABLE t (id int PRIMARY KEY, value slow); INSERT INTO t SELECT i, i FROM generate_series(1, {ROWS}) AS i;
CREATE TABLE rests (id int PRIMARY KEY); ALTER DOMAIN slow ADD CHECK (public.takes_long(VALUE))"""


def ends(s, kind):
    """Source, target, and how to come to each of them as a role with timeouts."""
    binaries = scenario.embedded_postgres("18")
    source = s.server(binaries=binaries)
    server = s.server(binaries=binaries) if kind == "postgres" else None
    target = s.target(kind, server=server)
    source.sql(TABLES)
    for one in filter(None, (source, server)):
        one.sql("CREATE ROLE hasty LOGIN SUPERUSER;" + "".join(f"ALTER ROLE hasty SET {name} = '{int(SHORT * 1000)}ms';" for name in TIMEOUTS))
    return source, target, source.uri(user="hasty"), server.uri(target.database, user="hasty") if server else target.uri


def said_nothing(run):
    run.ok()
    assert "warning" not in run.stderr and "again" not in run.stderr, run.stderr


def a_sync(s, kind):
    source, target, source_uri, target_uri = ends(s, kind)
    sync = ("sync", source_uri, target_uri, "--name", "rests")
    said_nothing(s.pgconvoy(*sync, "--until", "caught-up"))
    run = s.pgconvoy(*sync)
    for number in range(2):
        source.sql(f"INSERT INTO rests VALUES ({number}); INSERT INTO t VALUES ({100 + number}, 1)")
        time.sleep(3 * SHORT)
    run.stop()
    said_nothing(run)
    source.sql("UPDATE t SET value = 2")
    said_nothing(s.pgconvoy(*sync, "--until", "caught-up"))
    s.equal(source, target)
    if kind == "postgres":
        said_nothing(s.pgconvoy("verify", source_uri, target_uri))


def a_copy(s):
    source, target, source_uri, target_uri = ends(s, "postgres")
    said_nothing(s.pgconvoy("copy", source_uri, target_uri))
    s.equal(source, target)


def a_dump(s):
    source, target, source_uri, target_uri = ends(s, "postgres")
    archive = os.path.join(s.folder, "archive")
    said_nothing(s.pgconvoy("dump", "-Fd", "-j", "2", "-f", archive, source_uri, bare=True))
    said_nothing(s.pgconvoy("restore", "-j", "2", "-d", target_uri, archive, bare=True))
    s.equal(source, target)


CASES = {"postgres": lambda s: a_sync(s, "postgres"), "duckdb": lambda s: a_sync(s, "duckdb"), "copy": a_copy, "dump": a_dump}
scenario.run(lambda s: CASES[s.case](s), cases=list(CASES))
