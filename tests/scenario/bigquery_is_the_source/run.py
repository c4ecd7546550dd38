#!/usr/bin/env python3
"""A dataset of BigQuery holds what the source holds: values of all types, changes of all kinds, whatever fails on the way. Against a stand-in (tests/lib/
standin_bigquery.py), as the service itself cannot be had here: docs/sinks/bigquery.md says what that leaves open.

BIGQUERY_FULL=1 has every request fail in turn, in each way, all types of every_type_survives, and a load with kills; without it only some requests fail.
"""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import command
import scenario
import standin_bigquery
from target_bigquery import BigqueryTarget

FULL = bool(os.environ.get("BIGQUERY_FULL"))
LIB = os.path.join(scenario.TOP, "tests/lib")

TABLES = """
    CREATE TYPE mood AS ENUM ('sad', 'glücklich');
    CREATE DOMAIN price AS numeric(12,3);
    CREATE TABLE kinds (id bigint PRIMARY KEY, flag bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric(12,2), big numeric(60,30), exact numeric,
        p price, t text, v varchar(10), c char(4), bytes bytea, d date, at time, ts timestamp, tstz timestamptz, u uuid, j json, jb jsonb, feeling mood, r int4range,
        i interval, net inet, ai int[], at_ text[], ab bytea[], ad timestamptz[], aj jsonb[], o oid, x8 xid8);
    CREATE TABLE "Odd Name" ("select" int, "with space" text, "2nd" text, "quo""te" text, PRIMARY KEY ("select", "with space"));
    CREATE SCHEMA other; CREATE TABLE other.kinds (id int PRIMARY KEY, t text);
    CREATE TABLE bag (a int, b text, f float8); ALTER TABLE bag REPLICA IDENTITY FULL;
    CREATE TABLE large (id int PRIMARY KEY, body text, note text); ALTER TABLE large ALTER body SET STORAGE EXTERNAL;
    CREATE TABLE none ();
"""

KINDS = """
    INSERT INTO kinds (id) VALUES (:base);
    INSERT INTO kinds VALUES
     (:base + 1, true, -32768, -2147483648, -9223372036854775808, 'NaN', 'Infinity', -9999999999.99, 123456789012345678901234567890.123456789012345678901234567891,
      '123456789012345678901234567890123456789012345678901234567890.5', 123456789.125, E'tab\\tline\\n"quote" \\\\ ''apostrophe'' ü🐘', 'ten', 'ab', '\\x00ff80', '0001-01-01',
      '23:59:59.999999', '0001-01-01 00:00:00', '0001-01-01 00:00:00+00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"b": [1, 2.5, true, null], "a": {"x": "ü"}}',
      '{"n": 9223372036854775807, "u": 18446744073709551615, "f": 0.1}', 'glücklich', '[1,5)', '1 year 2 mons 3 days 04:05:06.7', '10.0.0.1/8', '{1,-2,3}',
      ARRAY['', 'NULL', 'a,b', '"', E'\\n'], ARRAY['\\x00'::bytea, ''], '{2026-01-01 00:00+00}', ARRAY['{"a": 1}'::jsonb, '[]'], 4294967295, '18446744073709551615'),
     (:base + 2, false, 32767, 2147483647, 9223372036854775807, 1e-45, 5e-324, 0.01, -0.000000000000000000000000000001, 'NaN', 0, '', '', '', '\\x', '9999-12-31',
      '00:00:00', '9999-12-31 23:59:59.999999', '9999-12-31 23:59:59.999999+00', '00000000-0000-0000-0000-000000000000', '"text"', '[]', 'sad', 'empty', '0', '::1', '{}', '{}',
      '{}', '{}', '{}', 0, '0');
"""


def same(s, source, target):
    tables = [table for table in source.tables() if table[1] != "none"]
    s.equal(source, target, tables=tables)
    assert int(source.sql("SELECT count(*) FROM none")) == int(target.query(f"SELECT count(*) FROM {target.dataset}.none")[0][0])
    left = [name for name in target.tables() if name.startswith("_pgconvoy_") and name not in ("_pgconvoy_pipelines", "_pgconvoy_tables")]
    assert not left, f"staging tables were left: {left}"


def sync(s, source, target, name="shop", **more):
    return s.sync_until_caught_up(source.uri(), target, "--name", name, seconds=120, **more)


def fill(source):
    source.sql(TABLES)
    source.sql("\\set base 0\n" + KINDS)
    source.sql("""INSERT INTO "Odd Name" VALUES (1, 'a', 'x', 'y'), (2, 'b', NULL, 'back`quote'); INSERT INTO other.kinds VALUES (1, 'other');
        INSERT INTO bag SELECT i % 3, 'x', 0.5 FROM generate_series(1, 10) AS i; INSERT INTO bag VALUES (NULL, NULL, 'NaN');
        INSERT INTO large SELECT i, repeat(md5(i::text), 200), 'n' FROM generate_series(1, 300) AS i; INSERT INTO none SELECT FROM generate_series(1, 3)""")


def change(source):
    source.sql("\\set base 1000\n" + KINDS)
    source.sql("""
        UPDATE kinds SET t = 'new', ai = NULL WHERE id = 1; UPDATE kinds SET jb = NULL WHERE id = 1001; DELETE FROM kinds WHERE id = 1000;
        BEGIN; DELETE FROM kinds WHERE id = 2; INSERT INTO kinds (id, t) VALUES (2, 'came again'); COMMIT;
        UPDATE large SET note = 'body unchanged' WHERE id < 10;
        UPDATE large SET id = id + 5000, note = 'moved' WHERE id BETWEEN 20 AND 30;
        BEGIN; UPDATE large SET id = -1 WHERE id = 40; UPDATE large SET id = 40 WHERE id = 41; UPDATE large SET id = 41 WHERE id = -1; COMMIT;
        BEGIN; DELETE FROM large WHERE id = 50; UPDATE large SET id = 50 WHERE id = 51; COMMIT;
        BEGIN; INSERT INTO large VALUES (9000, 'x', 'y'); DELETE FROM large WHERE id = 9000; COMMIT;
        BEGIN; INSERT INTO large VALUES (9001, 'rolled back', ''); ROLLBACK;
        UPDATE "Odd Name" SET "with space" = 'c' WHERE "select" = 1;
        DELETE FROM bag WHERE ctid = (SELECT min(ctid) FROM bag WHERE a = 1); UPDATE bag SET b = 'changed' WHERE a = 2; DELETE FROM bag WHERE a IS NULL;
        INSERT INTO bag VALUES (1, 'x', 0.5); INSERT INTO none SELECT;
        BEGIN; INSERT INTO other.kinds VALUES (2, 'goes'); TRUNCATE other.kinds; INSERT INTO other.kinds VALUES (3, 'stays'); COMMIT""")


def sweep(target):
    """Staging tables of a run that was cut off are left to expire."""
    for name in [name for name in target.tables() if re.match(r"_pgconvoy_.*\d", name)]:
        assert int(target.service.tables[target.dataset, name]["expirationTime"]) / 1000 > time.time()
        del target.service.tables[target.dataset, name]
        target.service.engine.drop_table(target.dataset, name)


def schema_changes(s, source, target):
    """Columns come, go and are renamed in the midst of changes, also when it is cut off before the commit, or right after it."""
    service = target.service
    merges = []

    def refuse_first(job):
        if "MERGE INTO `shop-project.shop.large`" in job.configuration.get("query", {}).get("query", ""):
            merges.append(job)
            if len(merges) == 1:
                del service.jobs[job.reference["jobId"]]
                raise standin_bigquery.ApiError(400, "invalidQuery", "refused by the test")

    def kill_first(job):
        if "MERGE INTO `shop-project.shop.large`" in job.configuration.get("query", {}).get("query", ""):
            merges.append(job)
            if len(merges) == 1:
                running.kill()

    source.sql("""
        BEGIN; INSERT INTO large (id, note) VALUES (7001, 'before'); ALTER TABLE large ADD COLUMN added int DEFAULT 7, ADD COLUMN good bool DEFAULT true,
        ADD COLUMN word text DEFAULT 'it''s'; INSERT INTO large (id, added) VALUES (7002, 5); UPDATE large SET added = 6 WHERE id = 1; COMMIT;
        ALTER TABLE large RENAME COLUMN note TO remark; INSERT INTO large (id, remark) VALUES (7003, 'renamed');
        BEGIN; UPDATE large SET remark = 'r' WHERE id = 2; ALTER TABLE large DROP COLUMN added; UPDATE large SET remark = 's' WHERE id = 3; COMMIT;
        ALTER TABLE other.kinds ALTER id TYPE bigint; INSERT INTO other.kinds VALUES (12345678901, 'wide')""")
    service.job_hook = refuse_first
    s.sync(source.uri(), target, "--name", "shop", "--until", "caught-up").fails(says="refused by the test", seconds=120)
    sync(s, source, target)
    sweep(target)
    same(s, source, target)
    assert len(merges) > 1
    merges.clear()
    source.sql("ALTER TABLE large RENAME COLUMN word TO term; UPDATE large SET term = 'y' WHERE id = 5; ALTER TABLE large DROP COLUMN good;"
               "UPDATE large SET term = 'z' WHERE id = 6; ALTER TABLE large RENAME TO larger;"
               "INSERT INTO larger (id, term) VALUES (8001, 'after'); ALTER TABLE larger RENAME TO large; UPDATE large SET term = 'x' WHERE id = 4;"
               "ALTER TABLE other.kinds RENAME TO sorts; INSERT INTO other.sorts VALUES (77, 'of another name')")
    service.job_hook = kill_first
    running = s.sync(source.uri(), target, "--name", "shop", "--until", "caught-up")
    running.wait()
    service.job_hook = None
    sync(s, source, target)
    sweep(target)
    same(s, source, target)
    assert running.status == -9 and sorted(target.fields("public", "large")) == ["body", "id", "remark", "term"], target.fields("public", "large")


def values_and_changes(s):
    source = s.server()
    fill(source)
    target = s.bigquery = BigqueryTarget(s.folder)
    sync(s, source, target)
    same(s, source, target)
    clustered = target.service.tables[target.dataset, "Odd_Name"]["clustering"]
    assert clustered == {"fields": ["select", "with_space"]}, clustered
    change(source)
    sync(s, source, target)
    same(s, source, target)
    schema_changes(s, source, target)
    # what the pipeline had stays when it is forgotten
    s.pgconvoy("drop", source.uri(), target.uri, "--name", "shop").ok()
    assert target.query("SELECT count(*) FROM shop._pgconvoy_pipelines") == [["0"]]
    assert "large" in target.tables()


def history(s):
    """mode=history keeps every change as a row."""
    source = s.server()
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'copied')")
    target = s.bigquery = BigqueryTarget(s.folder, mode="history")
    target.service.token_seconds = 1  # tokens run out on the way
    sync(s, source, target)
    source.sql("INSERT INTO t VALUES (2, 'a'); UPDATE t SET v = 'b' WHERE id = 2; DELETE FROM t WHERE id = 2; TRUNCATE t")
    sync(s, source, target)
    rows = target.query("SELECT _operation, id, v FROM shop.t ORDER BY _lsn, _sequence")
    assert rows == [["copy", "1", "copied"], ["insert", "2", "a"], ["update", "2", "b"], ["delete", "2", None], ["truncate", None, None]], rows
    lsns = [int(row[0]) for row in target.query("SELECT _lsn FROM shop.t ORDER BY _lsn, _sequence")]
    assert lsns == sorted(set(lsns)), lsns


def refusals(s):
    """What is wrong is said, with what to do about it, and nothing is made."""
    source = s.server()
    source.sql("CREATE TABLE t (id int PRIMARY KEY, day date, v text); INSERT INTO t VALUES (1, '2026-01-01', 'x'), (7, 'infinity', 'y')")
    target = s.bigquery = BigqueryTarget(s.folder)
    service = target.service

    def run(**more):
        return s.sync(source.uri(), target, "--name", "shop", "--until", "caught-up", **more)

    def refused(*says):
        run().fails(says=says, seconds=120)

    # credentials of another key, none at all, and a clock that is off
    others = standin_bigquery.Keys(s.folder, "other")
    others.email = service.keys.email
    good = service.key_file
    service.key_file = others.write(os.path.join(s.folder, "other.json"), service.endpoint + "/token", service.project)
    refused("Invalid JWT Signature", "one of its keys")
    service.key_file = good
    for service.clock_skew in (-3600, 7200):
        refused("clock")
    service.clock_skew = 0
    target.options["credentials"] = "/nonexistent"
    refused("/nonexistent")
    del target.options["credentials"]
    # a token from the environment is enough; one that is not good is said to be none
    run_of_token = s.pgconvoy("check", source.uri(), f"bigquery://{service.project}/shop?endpoint={service.endpoint}",
                              env={"PGCONVOY_BIGQUERY_TOKEN": service.grant()["access_token"]})
    run_of_token.wait()
    assert "can be opened" in run_of_token.stdout + run_of_token.stderr, run_of_token.stdout + run_of_token.stderr
    # permissions
    service.denied = {"bigquery.jobs.create"}
    refused("bigquery.jobs.create", "Job User")
    service.denied = {"bigquery.datasets.create"}
    refused("bigquery.datasets.create")
    assert not service.datasets
    service.denied = set()
    # a value that does not fit is named with its place
    refused("column day of table public.t", "id = 7", "DATE", "unmappable=text")
    # and is what the user asks for
    target.options["unmappable"] = "null"
    warned = run().ok()
    assert "id = 7" in warned.stderr and "NULL" in warned.stderr, warned.stderr
    assert target.query("SELECT day FROM shop.t ORDER BY id") == [["2026-01-01"], [None]]
    s.pgconvoy("drop", source.uri(), target.uri, "--name", "shop").ok()
    # a table in the way, and one with other columns
    target.options["unmappable"] = "text"
    refused("table t", "is there already")
    s.sync(source.uri(), target, "--name", "shop", "--until", "caught-up", "--if-exists", "append").fails(says=["column \"day\"", "DATE", "STRING"], seconds=120)
    s.sync(source.uri(), target, "--name", "shop", "--until", "caught-up", "--if-exists", "drop").ok()
    assert target.query("SELECT day FROM shop.t ORDER BY id") == [["2026-01-01"], ["infinity"]]


def contract(s):
    """The suite that every sink must pass."""
    s.bigquery = BigqueryTarget(s.folder)
    program = os.path.join(command.BUILD, "tests/contract/test_contract")
    done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, "PGCONVOY_TEST_BIGQUERY": s.bigquery.uri})
    assert done.returncode == 0, done.stdout[-3000:]
    assert s.bigquery.service.requests > 20, "the suite did not use the stand-in"


# How a request fails: before it is done, after it, and by a connection that is cut.
FAULTS = {
    "before": [("before", 503, "backendError"), ("before", 429, "rateLimitExceeded"), ("before", 403, "rateLimitExceeded"), ("before", 401, "authError"),
               ("before", 500, "internalError")],
    "after": [("after", 503, "backendError"), ("after", 500, "internalError")],
    "cut": [("cut_before", 0, ""), ("cut_half", 0, ""), ("cut_after", 0, ""), ("slow", 0, "")],
}


def faults(s):
    """Whatever request fails, in whatever way, nothing is lost and nothing comes twice. With BIGQUERY_FULL each request in turn, in a case for each way."""
    ways = FAULTS.get(s.case.partition("_")[2]) or [fault for way in FAULTS.values() for fault in way]
    source = s.server()
    source.sql("CREATE TABLE counted (id int PRIMARY KEY, v text); CREATE TABLE bag (a int, b text); ALTER TABLE bag REPLICA IDENTITY FULL;"
               "INSERT INTO counted SELECT i, 'v' FROM generate_series(1, 50) AS i; INSERT INTO bag SELECT i % 2, 'x' FROM generate_series(1, 6) AS i")
    target = s.bigquery = BigqueryTarget(s.folder)
    service = target.service

    def once(round_, name):
        """A copy and a stream, both of which have changes."""
        s.sync_until_caught_up(source.uri(), target, "--name", name, seconds=120)
        source.sql(f"INSERT INTO counted VALUES ({1000 + round_}, 'new'); UPDATE counted SET v = v || '+' WHERE id <= 3; INSERT INTO bag VALUES ({round_}, 'y'), (0, 'x');"
                   "DELETE FROM bag WHERE ctid = (SELECT min(ctid) FROM bag WHERE a = 0)")
        s.sync_until_caught_up(source.uri(), target, "--name", name, seconds=120)
        s.equal(source, target)

    once(0, "whole")
    requests = service.requests
    round_ = 0
    for number in range(1, requests + 1) if FULL else sorted(s.random.sample(range(1, requests + 1), 2)):
        round_ += 1
        kind, code, reason = ways[number % len(ways)] if FULL else s.random.choice(ways)
        target.dataset = f"shop{round_}"
        service.fault(service.requests + number, kind, code, reason)
        try:
            once(round_, f"fault{round_}")
        except AssertionError as problem:
            raise AssertionError(f"request {number} failing {kind} {code} {reason}: {problem}")
        assert not [fault for fault in service.faults if fault <= service.requests], "the fault was not met"
        service.faults.clear()
        s.pgconvoy("drop", source.uri(), target.uri, "--name", f"fault{round_}").ok()
        if FULL:
            source.sql("DELETE FROM counted WHERE id > 1000")
    print(f"{round_} faults in {requests} requests")


def kills(s):
    """Killed at any moment, and while the service still works for the one that was killed, the source under load."""
    source = s.server()
    source.sql("CREATE TABLE counted (id int PRIMARY KEY, n bigint NOT NULL, pad text); CREATE TABLE log (id bigserial PRIMARY KEY, of int, at timestamptz DEFAULT now());"
               "INSERT INTO counted SELECT i, 0, repeat('x', 100) FROM generate_series(1, 2000) AS i")
    script = os.path.join(s.folder, "load.sql")
    with open(script, "w") as file:
        file.write("\\set id random(1, 2000)\nBEGIN;\nUPDATE counted SET n = n + 1 WHERE id = :id;\nINSERT INTO log (of) VALUES (:id);\nEND;\n")
    target = s.bigquery = BigqueryTarget(s.folder)
    target.service.job_hook = lambda _job: time.sleep(s.random.random() * 0.3)
    load = subprocess.Popen([scenario.client("pgbench"), "-n", "-f", script, "-c", "2", "-R", "200", "-T", "60", source.socket_conninfo()],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(20):
            run = s.sync(source.uri(), target, "--name", "shop")
            time.sleep(0.3 + s.random.random() * 3)
            run.kill()
        load.wait()
    finally:
        if load.poll() is None:
            load.kill()
            load.wait()
    sync(s, source, target)
    s.equal(source, target)
    total = int(source.sql("SELECT sum(n) FROM counted"))
    assert total > 1000 and total == int(source.sql("SELECT count(*) FROM log")), total
    print(f"{total} transactions, {target.service.requests} requests")


def uploads(s):
    """A file of several pieces is uploaded from where its connection was cut on, and is loaded once."""
    source = s.server()
    source.sql("CREATE TABLE blobs (id int PRIMARY KEY, b bytea); INSERT INTO blobs SELECT n, (SELECT string_agg(decode(md5(n || ' ' || i), 'hex'), '') "
               "FROM generate_series(1, 65536) AS i) FROM generate_series(1, 24) AS n")
    target = s.bigquery = BigqueryTarget(s.folder)
    service = target.service
    puts = []
    serve = service.serve

    def cut_some(handler):
        if handler.command == "PUT":
            puts.append(handler.headers.get("Content-Range"))
            if len(puts) in (2, 4, 6):
                service.fault(service.requests + 1, ("cut_half", "cut_after", "after")[len(puts) // 2 - 1], 500, "internalError")
        serve(handler)

    service.serve = cut_some
    sync(s, source, target)
    s.equal(source, target)
    pieces = [part for part in puts if not part.startswith("bytes *")]
    assert len(pieces) >= 4 and any(part.startswith("bytes *") for part in puts), puts


def all_types(s):
    """Every value of every type, kept as text where BigQuery's types do not reach."""
    def rows(base):
        text = f"\\set base {base}\n"
        for name in ("types_rows.sql", "types_as_text.sql"):
            with open(os.path.join(LIB, name), encoding="utf-8") as file:
                text += file.read()
        return text
    source = s.server()
    with open(os.path.join(LIB, "types.sql"), encoding="utf-8") as file:
        source.sql(file.read())
    source.sql(rows(0))
    target = s.bigquery = BigqueryTarget(s.folder, unmappable="text")
    tables = [table for table in source.tables() if table[1] != "zero"]
    sync(s, source, target)
    s.equal(source, target, tables=tables)
    source.sql(rows(1000))
    source.sql("UPDATE types.texts SET v = v WHERE id > 1000; UPDATE types.arrays SET id = id + 10000 WHERE id > 1001;"
               "UPDATE types.own SET p = p WHERE id > 1000; DELETE FROM types.times WHERE id = 1000")
    sync(s, source, target)
    s.equal(source, target, tables=tables)


CASES = {"values_and_changes": values_and_changes, "contract": contract, "history": history, "refusals": refusals, "faults": faults,
         **({"kills": kills, "all_types": all_types, "uploads": uploads, **{f"faults_{way}": faults for way in FAULTS}} if FULL else {})}


def main(s):
    try:
        CASES[s.case](s)
    finally:
        if getattr(s, "bigquery", None):
            s.bigquery.close()


scenario.run(main, cases=list(CASES))
