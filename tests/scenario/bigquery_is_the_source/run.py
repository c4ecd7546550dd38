#!/usr/bin/env python3
"""A dataset of BigQuery holds what the source holds: values of all types, changes of all kinds, whatever fails on the way. Against a stand-in (tests/lib/
standin_bigquery.py), as the service itself cannot be had here: docs/sinks/bigquery.md says what that leaves open.

BIGQUERY_FULL=1 has every request fail in turn, in each way, all types of every_type_survives, and a load with kills; without it only some requests fail.
"""
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import command
import scenario
import service_cases
import standin_bigquery
from service_cases import change, fill, schema_changes, sync

FULL = bool(os.environ.get("BIGQUERY_FULL"))


def same(s, source, target):
    tables = [table for table in source.tables() if table[1] != "none"]
    s.equal(source, target, tables=tables)
    assert int(source.sql("SELECT count(*) FROM none")) == int(target.query(f"SELECT count(*) FROM {target.dataset}.none")[0][0])
    left = [name for name in target.tables() if name.startswith("_pgconvoy_") and name not in ("_pgconvoy_pipelines", "_pgconvoy_tables")]
    assert not left, f"staging tables were left: {left}"


def sweep(target):
    """Staging tables of a run that was cut off are left to expire."""
    for name in [name for name in target.tables() if re.match(r"_pgconvoy_.*\d", name)]:
        assert int(target.service.tables[target.dataset, name]["expirationTime"]) / 1000 > time.time()
        del target.service.tables[target.dataset, name]
        target.service.engine.drop_table(target.dataset, name)


def values_and_changes(s):
    source = s.server()
    fill(source)
    target = s.service("bigquery", "shop")
    sync(s, source, target)
    same(s, source, target)
    clustered = target.service.tables[target.dataset, "Odd_Name"]["clustering"]
    assert clustered == {"fields": ["select", "with_space"]}, clustered
    change(source)
    sync(s, source, target)
    same(s, source, target)
    schema_changes(s, source, target, same, sweep)
    # verify finds what has changed since, and nothing else
    source.sql("UPDATE kinds SET ai = '{9}' WHERE id = 1; INSERT INTO bag VALUES (NULL, NULL, 'NaN')")
    run = s.pgconvoy("verify", source.uri(), target.uri, "--name", "shop", "--json", "-t", "public.kinds", "-t", "bag")
    assert run.wait(120) == 3 and "error" not in run.stderr, run.error_tail()
    found = json.loads(run.stdout)
    assert {table["table"]: [(row["kind"], row["key"].lower()) for row in table["rows"]] for table in found["tables"]} == {
        "kinds": [("changed", "(id)=(1)")], "bag": [("missing", "(a, b, f)=(null, null, nan)")]} and not found["schema"], found
    # what the pipeline had stays when it is forgotten
    s.pgconvoy("drop", source.uri(), target.uri, "--name", "shop").ok()
    assert target.query("SELECT count(*) FROM shop._pgconvoy_pipelines") == [["0"]]
    assert "large" in target.tables()


def history(s):
    """mode=history keeps every change as a row."""
    source = s.server()
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'copied')")
    target = s.service("bigquery", "shop", mode="history")
    target.service.token_seconds = 1  # tokens run out on the way
    sync(s, source, target)
    source.sql("INSERT INTO t VALUES (2, 'a'); UPDATE t SET v = 'b' WHERE id = 2; DELETE FROM t WHERE id = 2; TRUNCATE t")
    sync(s, source, target)
    rows = target.query("SELECT _operation, id, v FROM shop.t ORDER BY _lsn, _sequence")
    assert rows == [["copy", "1", "copied"], ["insert", "2", "a"], ["update", "2", "b"], ["delete", "2", None], ["truncate", None, None]], rows
    lsns = [int(row[0]) for row in target.query("SELECT _lsn FROM shop.t ORDER BY _lsn, _sequence")]
    assert lsns == sorted(set(lsns)), lsns
    service_cases.names_of_history_are_taken(s, source, target, "_Lsn")


def refusals(s):
    """What is wrong is said, with what to do about it, and nothing is made."""
    source = s.server()
    source.sql("CREATE TABLE t (id int PRIMARY KEY, day date, v text); INSERT INTO t VALUES (1, '2026-01-01', 'x'), (7, 'infinity', 'y')")
    target = s.service("bigquery", "shop")
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
    target = s.service("bigquery", "shop")
    program = os.path.join(command.BUILD, "tests/contract/test_contract")
    done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, "PGCONVOY_TEST_BIGQUERY": target.uri})
    assert done.returncode == 0, done.stdout[-3000:]
    assert target.service.requests > 20, "the suite did not use the stand-in"


# How a request fails: before it is done, after it, and by a connection that is cut.
FAULTS = {
    "before": [("before", 503, "backendError"), ("before", 429, "rateLimitExceeded"), ("before", 403, "rateLimitExceeded"), ("before", 401, "authError"),
               ("before", 500, "internalError")],
    "after": [("after", 503, "backendError"), ("after", 500, "internalError")],
    "cut": [("cut_before", 0, ""), ("cut_half", 0, ""), ("cut_after", 0, ""), ("slow", 0, "")],
}


def faults(s):
    """With BIGQUERY_FULL each request in turn, in a case for each way."""
    ways = FAULTS.get(s.case.partition("_")[2]) or [fault for way in FAULTS.values() for fault in way]
    target = s.service("bigquery", "shop")
    service_cases.faults(s, s.server(), target, ways, FULL)


def kills(s):
    target = s.service("bigquery", "shop")
    target.service.job_hook = lambda _job: time.sleep(s.random.random() * 0.3)
    service_cases.kills(s, s.server(), target)


def uploads(s):
    """A file of several pieces is uploaded from where its connection was cut on, and is loaded once."""
    source = s.server()
    source.sql("CREATE TABLE blobs (id int PRIMARY KEY, b bytea); INSERT INTO blobs SELECT n, (SELECT string_agg(decode(md5(n || ' ' || i), 'hex'), '') "
               "FROM generate_series(1, 65536) AS i) FROM generate_series(1, 24) AS n")
    target = s.service("bigquery", "shop")
    service = target.service
    puts = []
    serve = service.serve

    def cut_some(handler, front):
        if handler.command == "PUT":
            puts.append(handler.headers.get("Content-Range"))
            if len(puts) in (2, 4, 6):
                service.fault(service.requests + 1, ("cut_half", "cut_after", "after")[len(puts) // 2 - 1], 500, "internalError")
        serve(handler, front)

    service.serve = cut_some
    sync(s, source, target)
    s.equal(source, target)
    pieces = [part for part in puts if not part.startswith("bytes *")]
    assert len(pieces) >= 4 and any(part.startswith("bytes *") for part in puts), puts


def all_types(s):
    target = s.service("bigquery", "shop", unmappable="text")
    service_cases.all_types(s, s.server(), target)


CASES = {"values_and_changes": values_and_changes, "contract": contract, "history": history, "refusals": refusals, "faults": faults,
         **({"kills": kills, "all_types": all_types, "uploads": uploads, **{f"faults_{way}": faults for way in FAULTS}} if FULL else {})}


def main(s):
    CASES[s.case](s)


scenario.run(main, cases=list(CASES))
