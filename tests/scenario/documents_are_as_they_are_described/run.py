#!/usr/bin/env python3
"""The JSON documents of check, plan, verify, link and subscribe have the members that their pages describe, each of them, and no others."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario


def members(value, path=""):
    """The paths of all members of a document: items[].findings[].mend"""
    if isinstance(value, dict):
        return {found for name, inner in value.items() for found in members(inner, f"{path}.{name}" if path else name)}
    if isinstance(value, list):
        return {found for inner in value for found in members(inner, path + "[]")} or {path + "[]"}
    return {path}


def described(page):
    text = open(os.path.join(scenario.TOP, "docs", page + ".md"), encoding="utf-8").read().split("\n## JSON\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \| ", text, re.M)
    assert rows, page
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def compare(page, *documents):
    found = set().union(*map(members, documents))
    # a list of which nothing was shown has no members of its own; those of texts end with it
    found = {name for name in found if not any(other != name and other.startswith(name + ".") for other in found)}
    found = {name.removesuffix("[]") for name in found}
    assert found == described(page), f"docs/{page}.md: not described {sorted(found - described(page))}, not there {sorted(described(page) - found)}"


def main(s):
    server = s.server({"wal_receiver_status_interval": "1s"})
    server.create_database("shop", """CREATE TABLE item (id serial PRIMARY KEY, name text); INSERT INTO item (name) SELECT i::text FROM generate_series(1, 50) i; CREATE TABLE heap (n int);
        CREATE INDEX named ON item (name)""")
    server.sql("CREATE DATABASE copied TEMPLATE shop")
    for name in ("linked", "ml"):
        server.create_database(name)
    shop = server.socket_conninfo("shop")

    def run(command, target, *options, status=0):
        done = s.pgconvoy(command, shop, server.socket_conninfo(target), "--json", *options, bare=command == "plan")
        assert done.wait() == status, done.error_tail()
        assert done.stdout.count("\n") == 1 and done.stdout.endswith("}\n"), "it is one line"
        return json.loads(done.stdout)

    compare("check", run("check", "copied", status=3), run("check", "linked"))
    compare("plan", run("plan", "linked", "--sample", "0s"))
    server.sql("DROP INDEX named; UPDATE item SET name = NULL WHERE id = 7; SELECT setval('item_id_seq', 3)", "copied")
    compare("verify", run("verify", "copied", status=3))
    tables = ["-t", "item", "-t", "heap"]
    linked = run("link", "linked", *tables, "--materialize", "item")
    compare("link", linked)
    assert linked["result"] == "linked" and [table["new"] for table in linked["tables"]] == [True, True] and linked["copies"] == [{"schema": "shop", "name": "item_local", "refreshed": False}], linked
    again = run("link", "linked", *tables, "--materialize", "item")
    assert not any(table["new"] for table in again["tables"]) and again["copies"][0]["refreshed"], again
    assert run("link", "linked", "--drop")["result"] == "dropped"
    names = ["--name", "shown", *tables]
    subscribed = run("subscribe", "ml", *names, "--until", "caught-up")
    compare("subscribe", subscribed)
    assert subscribed["caught_up"] and {table["table"]: table["state"] for table in subscribed["tables"]} == {"heap": "live", "item": "live"} and subscribed["sequences"] == 1, subscribed
    assert run("subscribe", "ml", *names, "--drop")["result"] == "dropped"


scenario.run(main)
