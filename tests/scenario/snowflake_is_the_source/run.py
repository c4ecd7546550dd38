#!/usr/bin/env python3
"""A schema of Snowflake holds what the source holds: values of all types, changes of all kinds, whatever fails on the way. Against a stand-in (tests/lib/standin_snowflake.py),
as the service itself cannot be had here: docs/sinks/snowflake.md says what that leaves open.

SNOWFLAKE_FULL=1 has every request fail in turn, in each way, all types of every_type_survives, values that are too large for one request, and a load with kills; without it only
some requests fail.
"""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import command
import rules
import scenario
import service_cases
import standin
from service_cases import change, fill, schema_changes, sync

FULL = bool(os.environ.get("SNOWFLAKE_FULL"))
KEPT = ("_PGCONVOY_PIPELINES", "_PGCONVOY_TABLES")


def staged(target):
    """Tables of the pipeline's own, but for those that hold its state."""
    return [name for name in target.tables() if name.startswith("_PGCONVOY_") and name not in KEPT]


def same(s, source, target):
    tables = [table for table in source.tables() if table[1] != "none"]
    s.equal(source, target, tables=tables)
    assert source.sql("SELECT count(*) FROM none") == target.query('SELECT COUNT(*) FROM "none"')[0][0]
    left = [name for name in staged(target) if target.query(f'SELECT COUNT(*) FROM "{name}"') != [["0"]] or "COPY" in name]
    assert not left, f"staged rows were left in {left}"
    assert not target.service.ran_twice, "a request was sent again without retry=true"


def sweep(_target):
    """What a run that was cut off has staged is removed by the next one."""


def rules_are_held(s):
    rules.hold(s.folder)


def values_and_changes(s):
    source = s.server()
    fill(source)
    target = s.service("snowflake", "PG")
    sync(s, source, target)
    same(s, source, target)
    change(source)
    sync(s, source, target)
    same(s, source, target)
    schema_changes(s, source, target, same, sweep)
    # what the pipeline had stays when it is forgotten
    s.pgconvoy("drop", source.uri(), target.uri, "--name", "shop").ok()
    assert target.query('SELECT COUNT(*) FROM "_PGCONVOY_PIPELINES"') == [["0"]]
    assert "large" in target.tables() and not staged(target), target.tables()


def history(s):
    """mode=history keeps every change as a row."""
    source = s.server()
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'copied')")
    target = s.service("snowflake", "PG", mode="history")
    target.service.streaming.token_seconds = 1  # scoped tokens run out on the way
    sync(s, source, target)
    source.sql("INSERT INTO t VALUES (2, 'a'); UPDATE t SET v = 'b' WHERE id = 2; DELETE FROM t WHERE id = 2; TRUNCATE t")
    sync(s, source, target)
    rows = target.query('SELECT "_operation", "id", "v" FROM "t" ORDER BY "_lsn", "_sequence"')
    assert rows == [["copy", "1", "copied"], ["insert", "2", "a"], ["update", "2", "b"], ["delete", "2", None], ["truncate", None, None]], rows
    lsns = [(int(lsn), int(sequence)) for lsn, sequence in target.query('SELECT "_lsn", "_sequence" FROM "t" ORDER BY "_lsn", "_sequence"')]
    assert lsns == sorted(set(lsns)), lsns
    service_cases.names_of_history_are_taken(s, source, target, "_lsn")


def refusals(s):
    """What is wrong is said, with what to do about it, and nothing is made."""
    source = s.server()
    source.sql("CREATE TABLE t (id int PRIMARY KEY, day date, v text); INSERT INTO t VALUES (1, '2026-01-01', 'x'), (7, 'infinity', 'y')")
    target = s.service("snowflake", "PG")
    service = target.service

    def run(*options, **more):
        return s.sync(source.uri(), target, "--name", "shop", "--until", "caught-up", *options, **more)

    def refused(*says, options=()):
        run(*options).fails(says=says, seconds=120)

    # a key of which the user does not have the public half, none at all, another user, and a clock that is off
    service.registered = standin.RsaKey(s.folder, "other")
    refused("JWT token is invalid", "RSA_PUBLIC_KEY")
    service.registered = service.key
    for service.clock_skew in (-3600, 7200):
        refused("clock")
    service.clock_skew = 0
    target.options["private_key_file"] = "/nonexistent"
    refused("/nonexistent")
    del target.options["private_key_file"]
    target.options["role"] = "NO_SUCH_ROLE"
    refused("NO_SUCH_ROLE")
    del target.options["role"]
    target.options["warehouse"] = None
    refused("warehouse")
    del target.options["warehouse"]
    # privileges
    service.denied = {"CREATE SCHEMA"}
    refused("creating the schema", "Insufficient privileges", "grant the role")
    assert not service.engine.databases[service.database]
    service.denied = {"CREATE TABLE"}
    refused("Insufficient privileges to operate on schema", "grant the role")
    service.denied = set()
    # a value that does not fit is named with its place
    refused("column day of table public.t", "id = 7", "DATE", "unmappable=text")
    # and is what the user asks for
    target.options["unmappable"] = "null"
    warned = run().ok()
    assert "id = 7" in warned.stderr and "NULL" in warned.stderr, warned.stderr
    assert target.query('SELECT "day"::VARCHAR FROM "t" ORDER BY "id"') == [["2026-01-01"], [None]]
    s.pgconvoy("drop", source.uri(), target.uri, "--name", "shop").ok()
    # a table in the way, and one with other columns
    target.options["unmappable"] = "text"
    refused("table t", "is there already")
    refused('column "day"', "DATE", "VARCHAR", options=("--if-exists", "append"))
    run("--if-exists", "drop").ok()
    assert target.query('SELECT "day" FROM "t" ORDER BY "id"') == [["2026-01-01"], ["infinity"]]


def contract(s):
    """The suite that every sink must pass."""
    target = s.service("snowflake", "PG")
    program = os.path.join(command.BUILD, "tests/contract/test_contract")
    done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "PGCONVOY_TEST_SNOWFLAKE": target.uri})
    assert done.returncode == 0, done.stdout[-3000:]
    assert target.service.requests > 20, "the suite did not use the stand-in"


# How a request fails: before it is done, after it, and by a connection that is cut.
FAULTS = {
    "before": [("before", 503, ""), ("before", 429, ""), ("before", 500, ""), ("before", 401, ""), ("before", 403, ""), ("before", 404, ""), ("before", 409, "")],
    "after": [("after", 503, ""), ("after", 500, "")],
    "cut": [("cut_before", 0, ""), ("cut_half", 0, ""), ("cut_after", 0, ""), ("slow", 0, "")],
}


def faults(s):
    """With SNOWFLAKE_FULL each request in turn, in a case for each way: where statements are answered at once, and (what fails after it was done) where each is asked for again."""
    ways = FAULTS.get(s.case.partition("_")[2]) or [fault for way in FAULTS.values() for fault in way]
    target = s.service("snowflake", "PG")
    source = s.server()
    target.service.streaming.lag = 0  # so that the number of requests is the same each time
    target.service.late = int(s.case == "faults_after") if FULL else s.random.choice((0, 1))
    service_cases.faults(s, source, target, ways, FULL, forgiven=(403, 404, 409))
    # libcurl repeats a request by itself when a connection that it had kept ends without an answer: what is harmless twice may come twice then
    assert not target.service.ran_twice or any(way[0].startswith("cut") for way in ways), "a request was sent again without retry=true"


def kills(s):
    target = s.service("snowflake", "PG")
    target.service.statement_hook = lambda _statement: time.sleep(s.random.random() * 0.3)
    target.service.streaming.lag = 0.5
    service_cases.kills(s, s.server(), target)
    assert not target.service.ran_twice


def all_types(s):
    service_cases.all_types(s, s.server(), s.service("snowflake", "PG", unmappable="text"))


def channels_that_break(s):
    """A channel that must be opened again, whatever for, loses nothing: another process, a server that forgets what it had answered, errors of the service's own."""
    source = s.server()
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 20000) AS i")
    target = s.service("snowflake", "PG")
    streaming = target.service.streaming
    streaming.lag = 0.2
    appended, seen = streaming.append, []

    def breaking(handler, arguments, body, *names):
        seen.append(len(body))
        for channel in streaming.channels.values():
            if len(seen) % 3 == 1:      # the server has another state than the client thinks
                channel.client_sequencer += 1
                channel.pending = []
            if len(seen) % 7 == 2:
                channel.code, channel.pending = "ERR_CHANNEL_MUST_BE_REOPENED_DUE_TO_ROW_SEQ_GAP", []
        return appended(handler, arguments, body, *names)

    streaming.append = breaking
    sync(s, source, target)
    s.equal(source, target)
    assert streaming.opened > 1
    source.sql("UPDATE t SET v = v || 'x' WHERE id % 2 = 0; DELETE FROM t WHERE id % 3 = 0")
    sync(s, source, target)
    s.equal(source, target)
    assert max(seen) <= 4_000_000, max(seen)


def large_values(s):
    """Rows that do not go into one request are cut into pieces and put together again; what no VARCHAR can hold is named."""
    source = s.server()
    source.sql("CREATE TABLE blobs (id int PRIMARY KEY, b bytea, t text); INSERT INTO blobs SELECT n, (SELECT string_agg(decode(md5(n || ' ' || i), 'hex'), '') "
               "FROM generate_series(1, n * 60000) AS i), repeat('ü', n * 900000) FROM generate_series(1, 4) AS n")
    target = s.service("snowflake", "PG")
    sync(s, source, target)
    s.equal(source, target)
    source.sql("UPDATE blobs SET t = t || 'y' WHERE id > 3; INSERT INTO blobs SELECT id + 10, b, 'z' FROM blobs; DELETE FROM blobs WHERE id = 2")
    sync(s, source, target)
    s.equal(source, target)
    source.sql("INSERT INTO blobs VALUES (77, NULL, repeat('x', 17000000))")
    s.sync(source.uri(), target, "--name", "shop", "--until", "caught-up").fails(says=("column t of table public.blobs", "id = 77"), seconds=120)
    s.pgconvoy("drop", source.uri(), target.uri, "--name", "shop").ok()
    source.sql("DELETE FROM blobs; INSERT INTO blobs VALUES (78, decode(repeat('ab', 5000000), 'hex'), repeat('x', 9000000))")
    s.sync(source.uri(), target, "--name", "again", "--until", "caught-up", "--if-exists", "drop").fails(says=("row with id = 78 of table public.blobs", "16 MB"), seconds=120)


CASES = {"rules_are_held": rules_are_held, "values_and_changes": values_and_changes, "contract": contract, "history": history, "refusals": refusals, "faults": faults,
         **({"kills": kills, "all_types": all_types, "channels_that_break": channels_that_break, "large_values": large_values, **{f"faults_{way}": faults for way in FAULTS}}
            if FULL else {})}


def main(s):
    CASES[s.case](s)


scenario.run(main, cases=list(CASES))
