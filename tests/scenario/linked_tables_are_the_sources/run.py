#!/usr/bin/env python3
"""Tables linked by `link` read as the source's own; copies of them are refreshed; what is in the way is named and leaves nothing; --drop undoes it all; the password is shown nowhere."""
import os
import pty
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario
from command import PGCONVOY

SECRET = "s3cr3t'\\word"
SCHEMA = """CREATE TYPE mood AS ENUM ('sad', 'it''s ok'); CREATE TABLE item (id int PRIMARY KEY, name text, price numeric(10, 2), feels mood, tags text[]);
INSERT INTO item SELECT i, 'n' || i, i / 7.0, CASE WHEN i % 2 = 0 THEN 'sad'::mood ELSE 'it''s ok' END, ARRAY['a', NULL, i::text] FROM generate_series(1, 500) i;
CREATE TABLE "Odd Name" (id int PRIMARY KEY, "A col" text); INSERT INTO "Odd Name" VALUES (1, 'x'); CREATE VIEW cheap AS SELECT id, price FROM item WHERE price < 10;
CREATE TABLE part (id int, at date) PARTITION BY RANGE (at); CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2020-01-01') TO ('2021-01-01'); INSERT INTO part VALUES (1, '2020-05-05');
CREATE SCHEMA other; CREATE TABLE other.item (id int); CREATE TABLE heap (n int); GRANT USAGE ON SCHEMA public TO far; GRANT SELECT ON ALL TABLES IN SCHEMA public TO far;
GRANT USAGE ON SCHEMA other TO far; GRANT SELECT ON ALL TABLES IN SCHEMA other TO far"""
STATE = """SELECT (SELECT count(*) FROM pg_foreign_server) || ' ' || (SELECT count(*) FROM pg_foreign_table) || ' ' || (SELECT count(*) FROM pg_user_mapping) || ' ' ||
(SELECT string_agg(nspname, ',' ORDER BY 1) FROM pg_namespace WHERE nspname !~ '^pg_|information') || ' ' || (SELECT count(*) FROM pg_class WHERE relkind = 'm')"""


def asked(arguments, answer, env):
    """Runs the command on a terminal where somebody types the answer; gives its status, and all that the terminal showed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(PGCONVOY, [PGCONVOY, *arguments], {**os.environ, **env})
    shown, answered = b"", False
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            piece = b""
        if not piece:
            break
        shown += piece
        if not answered and b"assword" in shown:
            os.write(terminal, answer.encode() + b"\n")
            answered = True
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode(errors="replace")


def main(s):
    source, target = s.server(), s.server({"log_statement": "all", "log_min_duration_statement": "0"})
    source.sql(f"CREATE ROLE far LOGIN PASSWORD '{SECRET.replace(chr(39), chr(39) * 2)}'")
    source.create_database("shop", SCHEMA)
    hba = os.path.join(source.data, "pg_hba.conf")
    rules = open(hba).read()
    with open(hba, "w") as file:
        file.write("host all far 127.0.0.1/32 scram-sha-256\n" + rules)
    source.sql("SELECT pg_reload_conf()")
    target.create_database("own")
    secret = os.path.join(s.folder, "secret")
    with open(secret, "w") as file:
        file.write(SECRET + "\nsecond line\n")
    ends = ["link", source.uri("shop", user="far"), target.uri("own")]
    env = {"PGPASSWORD": SECRET}
    runs = []

    def link(*options, **more):
        runs.append(s.pgconvoy(*ends, *options, bare=True, env=env, **more))
        return runs[-1]

    before = target.sql(STATE, "own")

    def refuse(status, says, *options):
        link(*options).fails(status, says)
        assert target.sql(STATE, "own") == before, "something was left: " + target.sql(STATE, "own")

    # what is in the way
    refuse(1, ["item", "other", "public", "-n"])
    refuse(1, ["public.mood", "CREATE TYPE public.mood AS ENUM ('sad', 'it''s ok')"], "-n", "public")
    refuse(1, "no table", "-t", "nothing")
    refuse(1, ["1", "--via"], "-t", "heap", "--via", "host=127.0.0.1 port=1")
    # the same name is another server there, with the same database
    target.sql("CREATE ROLE far LOGIN; CREATE DATABASE shop")
    target.sql("CREATE TABLE heap (n int); GRANT SELECT ON heap TO far", "shop")
    refuse(1, ["another server than the source", "--via"], "-t", "heap", "--via", f"host=127.0.0.1 port={target.port}")
    target.sql("ALTER DATABASE own SET default_transaction_read_only = on")
    refuse(1, ["the target are read-only", "default_transaction_read_only = off"], "-t", "heap")
    target.sql("ALTER DATABASE own RESET default_transaction_read_only")
    s.pgconvoy("link", ends[1], target.uri("own", port=1), "-t", "heap", bare=True, env=env).fails(1, ["target: cannot connect to", "127.0.0.1 port 1 ", "check that the server runs"])
    s.pgconvoy("link", source.uri("shop", port=1), ends[2], "-t", "heap", bare=True, env=env).fails(1, ["source: cannot connect to", "127.0.0.1 port 1 ", "check that the server runs"])
    refuse(2, "--via", "-t", "heap", "--via", "nonsense")
    refuse(1, "password file", "-t", "heap", "--password-file", secret + ".not")
    target.sql("CREATE TYPE public.mood AS ENUM ('sad', 'it''s ok'); CREATE SCHEMA taken; CREATE TABLE taken.heap (mine int)", "own")
    before = target.sql(STATE, "own")
    refuse(1, ["taken.heap", "--into"], "-n", "public", "--into", "taken")
    refuse(2, ["--materialize", "nothing"], "-n", "public", "--materialize", "nothing")
    refuse(1, "nocolumn", "-n", "public", "--materialize", "sums=SELECT nocolumn FROM item")  # the last thing that is made

    # a dry run says all, and does nothing
    dry = link("-n", "public", "--dry-run", "--materialize", "item").ok()
    for words in ("BEGIN;", "CREATE EXTENSION IF NOT EXISTS postgres_fdw;", 'CREATE SERVER "pgconvoy_shop"', "********", 'IMPORT FOREIGN SCHEMA "public" LIMIT TO ("Odd Name", "cheap", "heap", "item", "part")',
                  "CREATE MATERIALIZED VIEW", "COMMIT;"):
        assert words in dry.stdout, f"{words} is not in\n{dry.stdout}"
    assert target.sql(STATE, "own") == before

    # the link, its tables, and copies
    link("-n", "public", "--password-file", secret, "--materialize", "item", "--materialize", "taken.sums=SELECT feels, count(*), sum(price) FROM item GROUP BY feels").ok()
    for name in ("item", '"Odd Name"', "cheap", "part"):
        assert source.sql(f"SELECT x::text FROM {name} x ORDER BY 1", "shop") == target.sql(f"SELECT x::text FROM shop.{name} x ORDER BY 1", "own"), name
    assert target.sql("SELECT x::text FROM shop.item_local x ORDER BY id", "own") == source.sql("SELECT x::text FROM item x ORDER BY id", "shop")
    source.sql("INSERT INTO item VALUES (1000, 'new'); CREATE TABLE later (id int PRIMARY KEY); GRANT SELECT ON later TO far", "shop")
    assert target.sql("SELECT name FROM shop.item WHERE id = 1000", "own") == "new", "a foreign table reads what is there now"
    assert target.sql("SELECT count(*) FROM shop.item_local", "own") == "500"
    assert "updatable=false" in target.sql("SELECT srvoptions FROM pg_foreign_server", "own")
    # again: what is new comes in, copies are refreshed (one with a key while it is read), the rest stays
    reader = s.session(target, "BEGIN; SELECT count(*) FROM shop.item_local;", "own")
    again = link("-n", "public", "--materialize", "item", "--materialize", "taken.sums=SELECT 1").ok()
    s.end_session(reader)
    assert "1 tables of" in again.stderr, again.stderr
    assert target.sql("SELECT count(*) FROM shop.item_local", "own") == "501" and target.sql("SELECT sum(count) FROM taken.sums", "own") == "501" and target.sql("SELECT count(*) FROM shop.later", "own") == "0"

    # only what is linked so can be written
    try:
        target.sql("INSERT INTO shop.item (id) VALUES (2000)", "own")
        raise AssertionError("what is linked to be read was written")
    except RuntimeError as refusal:
        assert "does not allow inserts" in str(refusal), refusal
    source.sql("GRANT INSERT, UPDATE, DELETE ON item TO far", "shop")
    link("-t", "public.item", "--into", "open", "--writable").ok()
    target.sql("INSERT INTO open.item (id, name) VALUES (2000, 'far'); UPDATE open.item SET name = 'far' WHERE id = 1; DELETE FROM open.item WHERE id IN (2, 1000)", "own")
    assert source.sql("SELECT string_agg(id::text, ' ' ORDER BY id) || ' ' || (SELECT count(*) FROM item) FROM item WHERE name = 'far'", "shop") == "1 2000 500"
    link("--into", "open", "--drop").ok()
    source.sql("DELETE FROM item WHERE id = 2000; INSERT INTO item VALUES (2), (1000)", "shop")

    # undone, with the copies; what was there before is left, and the source need not be there
    target.sql("CREATE SERVER pgconvoy_mine FOREIGN DATA WRAPPER postgres_fdw", "own")
    link("--drop", "--into", "mine").fails(1, ["pgconvoy_mine", "did not make"])
    target.sql("DROP SERVER pgconvoy_mine", "own")
    # a password that is asked for, which no terminal shows
    link("--drop").ok()
    status, shown = asked([*ends, "-t", "item", "--password"], SECRET, env)
    assert status == 0 and "assword" in shown and "s3cr3t" not in shown, shown
    assert target.sql("SELECT count(*) FROM shop.item", "own") == "501"
    source.stop()
    link("--drop", "--dry-run").ok()
    link("--drop").ok()
    assert target.sql(STATE, "own") == before, target.sql(STATE, "own")
    assert "nothing to drop" in link("--drop").ok().stderr
    for run in runs:
        for text in (run.stdout, run.stderr):
            assert "s3cr3t" not in text, "the password was shown"
    # a role that is no superuser has to have a password
    source.start()
    target.sql("CREATE ROLE plain LOGIN; GRANT CREATE ON DATABASE own TO plain; GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO plain", "own")
    s.pgconvoy("link", source.uri("shop"), target.uri("own", user="plain"), "-t", "public.heap", "--into", "plain", bare=True).fails(1, ["no superuser", "password"])
    s.pgconvoy("link", ends[1], target.uri("own", user="plain"), "-t", "public.heap", "--into", "plain", bare=True, env=env).ok()
    assert target.sql("SET ROLE plain; SELECT count(*) FROM plain.heap", "own") == "0"
    s.pgconvoy("link", ends[1], target.uri("own", user="plain"), "--into", "plain", "--drop", bare=True).ok()
    with open(target.log, errors="replace") as file:
        assert "s3cr3t" not in file.read(), "the password is in the target's log"


scenario.run(main)
