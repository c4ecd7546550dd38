#!/usr/bin/env python3
"""`check` names what ClickHouse, BigQuery or Snowflake would have against a sync: that it cannot be reached, or does not let the user in, a right that is missing, a table in the way or
with other columns, a name that two tables would have; each passes once it is mended. Nothing is made there."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import clickhouse
import scenario
import standin

ITEMS = ("target_opens", "types", "target_tables")


class Checks:
    def __init__(self, s):
        self.s, self.source = s, s.server({"wal_level": "logical"})
        self.source.sql("CREATE TABLE t (id int PRIMARY KEY, day date, v text); CREATE TABLE other (id int PRIMARY KEY)")

    def items(self, uri, *options):
        run = self.s.pgconvoy("check", self.source.uri(), uri, "--name", "shop", "--json", *options)
        status = run.wait(120)
        assert status in (0, 3), f"exit status {status}: {run.error_tail()}"
        found = {item["item"]: item for item in json.loads(run.stdout)["items"] if item["item"] in ITEMS}
        assert set(found) == set(ITEMS), found
        return found

    def passes(self, uri, *options):
        for item, result in self.items(uri, *options).items():
            assert result["status"] == "passed", f"{item} has not passed: {result}"

    def names(self, item, uri, *words, options=()):
        """The item fails with these words, among them some of the mend's; no other one is said to fail."""
        found = self.items(uri, *options)
        said = " ".join(f"{finding['says']} {finding['mend']}" for finding in found[item]["findings"])
        assert found[item]["status"] == "failed", f"{item} is {found[item]}"
        for word in words:
            assert word in said, f"{item} does not say {word!r}: {said}"
        assert [name for name in ITEMS if found[name]["status"] == "failed"] == [item], found

    def tables(self, target, column, other):
        """A table t of somebody else's is in the way; it does not fit when the source's column is of the other type. Two tables that would be one there."""
        self.names("target_tables", target.uri, "table t", "--if-exists")
        self.passes(target.uri, "--if-exists", "append")
        self.source.sql(f"ALTER TABLE t ALTER {column} TYPE {other}")
        self.names("target_tables", target.uri, column, options=("--if-exists", "append"))
        self.passes(target.uri, "--if-exists", "drop")
        self.source.sql('CREATE SCHEMA s; CREATE TABLE s.o (id int PRIMARY KEY); CREATE TABLE s_o (id int PRIMARY KEY)')
        self.names("types", target.uri, "s_o", options=("--if-exists", "drop"))
        self.source.sql("DROP TABLE s_o")
        self.passes(target.uri, "--if-exists", "drop")


def bigquery(s, checks):
    target = s.service("bigquery", "shop")
    service = target.service
    checks.passes(target.uri)
    checks.names("target_opens", target.uri.replace(f"endpoint={service.endpoint}", "endpoint=http://127.0.0.1:1"), "127.0.0.1:1")
    others = type(service.keys)(s.folder, "other")
    others.email = service.keys.email
    good, service.key_file = service.key_file, others.write(os.path.join(s.folder, "other.json"), service.endpoint + "/token", service.project)
    checks.names("target_opens", target.uri, "Invalid JWT Signature", "one of its keys")
    service.key_file = good
    checks.names("target_opens", target.uri.replace(f"//{service.project}/", "//nobodys-project/"), "nobodys-project")
    for permission in ("bigquery.jobs.create", "bigquery.datasets.get"):
        service.denied = {permission}
        checks.names("target_opens", target.uri, permission)
    service.denied = set()
    checks.passes(target.uri)
    assert not service.datasets, service.datasets
    s.sync_until_caught_up(checks.source.uri(), target, "--name", "another", "-t", "t")
    checks.tables(target, "day", "text")


def snowflake(s, checks):
    target = s.service("snowflake", "PG")
    service = target.service
    checks.passes(target.uri)
    checks.names("target_opens", target.uri.replace(f"endpoint={service.endpoint}", "endpoint=http://127.0.0.1:1"), "127.0.0.1:1")
    service.registered = standin.RsaKey(s.folder, "other")
    checks.names("target_opens", target.uri, "JWT token is invalid", "RSA_PUBLIC_KEY")
    service.registered = service.key
    service.denied = {"USAGE"}
    checks.names("target_opens", target.uri, "database SHOP is not there, or the role may not see it", "grant the role USAGE")
    service.denied = set()
    for option, word in (("role", "NOT_MINE"), ("warehouse", "NONE")):
        good = target.options.get(option)
        target.options[option] = word
        checks.names("target_opens", target.uri, option)
        target.options[option] = good
        if good is None:
            del target.options[option]
    checks.passes(target.uri)
    assert not service.engine.databases[service.database], service.engine.databases
    s.sync_until_caught_up(checks.source.uri(), target, "--name", "another", "-t", "t")
    checks.tables(target, "day", "text")


def of_clickhouse(s, checks):
    if not clickhouse.fetch("server"):
        return
    target = s.target("clickhouse-server")
    server = target.server
    checks.passes(target.uri)
    checks.names("target_opens", server.uri(port=1), "127.0.0.1:1")
    checks.names("target_opens", target.uri.replace("//", "//default:wrong@"), "default")
    checks.names("target_opens", target.uri.replace("//", "//reader@"), "may only read", "readonly")
    checks.passes(target.uri)
    server.query("CREATE TABLE target.t (id Int32, day Nullable(String), v Nullable(String), _version UInt64, _deleted UInt8) ENGINE = ReplacingMergeTree(_version) ORDER BY id")
    checks.tables(target, "id", "bigint")
    of_clickhouse_rights(s)


def of_clickhouse_rights(s):
    """The rights that a user lacks, of a current engine; the old one cannot be asked, and nothing is said of it."""
    if not clickhouse.fetch("chdb"):
        return
    source = s.server({"wal_level": "logical"})
    source.sql("CREATE TABLE t (id int PRIMARY KEY)")

    def rights(target, *options):
        run = s.pgconvoy("check", source.uri(), target.uri, "--name", "rights", "--json", *options)
        run.wait(120)
        found = {item["item"]: item for item in json.loads(run.stdout)["items"]}
        assert found["target_opens"]["status"] == "passed", found["target_opens"]
        item = found["target_privileges"]
        return item["status"], " ".join(f"{finding['says']} {finding['mend']}" for finding in item["findings"]) or item["says"]

    all_of_them = "SELECT, INSERT, ALTER, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, TRUNCATE"
    anywhere = ["GRANT SHOW, CREATE DATABASE, FILE ON *.*", "GRANT TABLE ENGINE ON *", "GRANT SELECT ON system.*"]
    some = s.clickhouse(grants=[*anywhere, "GRANT SELECT, INSERT, ALTER, DROP TABLE, DROP VIEW ON `my shop`.*", f"GRANT {all_of_them} ON good.*", "GRANT CREATE TABLE ON good.*",
                                "GRANT SELECT, INSERT, ALTER, CREATE TABLE, DROP TABLE, TRUNCATE ON past.*"])
    shop = clickhouse.ClickhouseTarget(some, "my shop")
    shop.uri = some.uri("my%20shop")
    status, said = rights(shop)
    assert (status, said) == ("failed", "user default has not the right to CREATE TABLE, CREATE VIEW, TRUNCATE in database my shop "
                                        "GRANT CREATE TABLE, CREATE VIEW, TRUNCATE ON `my shop`.* TO `default`"), (status, said)
    assert rights(shop, "--map-table", "public.t=u") == (status, said)
    s.sync(source.uri(), shop, "--name", "rights", "--until", "caught-up").fails(1, "CREATE TABLE")
    s.pgconvoy("drop", "rights").wait(60)
    good = clickhouse.ClickhouseTarget(some, "good")
    assert rights(good)[0] == "passed", rights(good)
    s.sync_until_caught_up(source.uri(), good, "--name", "rights")
    past = clickhouse.ClickhouseTarget(some, "past", "?mode=history")
    assert rights(past)[0] == "passed", rights(past)
    assert rights(s.target("clickhouse-server", name="other")) == ("passed", "the target's server is too old to be asked what its user may do")


CASES = {"bigquery": bigquery, "snowflake": snowflake, "clickhouse": of_clickhouse}


def main(s):
    CASES[s.case](s, Checks(s))


scenario.run(main, list(CASES))
