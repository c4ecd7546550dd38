#!/usr/bin/env python3
"""`subscribe` makes PostgreSQL's own replication in one command: definitions, rows, changes and sequences arrive; new tables join; what stands in the way is named and leaves nothing; --drop
leaves the tables alone.

The case standbys, of SCENARIO_FULL, takes standbys as either end. SUBSCRIBE_ALL=1 takes from 15 to 17 as well, from 17 to 17, and two databases of one cluster.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

FAST = {"wal_receiver_status_interval": "1s", "wal_retrieve_retry_interval": "100ms", "max_logical_replication_workers": "8"}
SCHEMA = """CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN price AS numeric(10, 2) CHECK (VALUE >= 0); CREATE SCHEMA app;
CREATE TABLE app.item (id serial PRIMARY KEY, name text NOT NULL, cost price, feels mood[], at timestamptz DEFAULT '2026-01-01'); CREATE INDEX ON app.item (name);
INSERT INTO app.item (name, cost, feels) SELECT 'n' || i, i / 3.0, ARRAY['sad', NULL]::mood[] FROM generate_series(1, 3000) i;
CREATE TABLE "Odd ""Name" (id bigint PRIMARY KEY, "A col" text); INSERT INTO "Odd ""Name" VALUES (1, 'x');
CREATE TABLE app.line (item int REFERENCES app.item, n int, PRIMARY KEY (item, n)); INSERT INTO app.line SELECT i, 1 FROM generate_series(1, 100) i;
CREATE TABLE app.part (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE TABLE app.part_1 PARTITION OF app.part FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
INSERT INTO app.part VALUES (1, '2020-05-05')"""
CHANGES = """UPDATE app.item SET name = name || '!' WHERE id % 3 = 0; DELETE FROM app.line WHERE item < 10; INSERT INTO "Odd ""Name" VALUES (2, NULL); INSERT INTO app.item (name) VALUES ('new');
INSERT INTO app.part VALUES (2, '2020-06-06')"""


def equal(s, source, target, name):
    s.equal(source, s_target(target, name), "shop")


def s_target(target, name):
    return scenario.PostgresTarget(target, name)


def nothing_left(source, target, database):
    assert not [name for name in source.slots() if name.startswith("pgconvoy_")], source.slots()
    assert source.publications("shop") == [], source.publications("shop")
    assert target.sql("SELECT count(*) FROM pg_subscription", database) == "0"


def pair(s, source, target, database, refusals):
    source.create_database("shop", SCHEMA)
    target.create_database(database)
    ends = ["subscribe", source.uri("shop").replace("postgres@", "postgres:s3cr3t@"), target.uri(database), "--name", "pair"]
    if refusals:
        refuse(s, source, target, ends, database)
    s.pgconvoy(*ends, "--until", "caught-up", "--progress", "json").ok(120)
    equal(s, source, target, database)
    assert target.sql("SELECT last_value FROM app.item_id_seq", database) == "3000", "a sequence is behind"
    assert target.sql("SELECT count(*) FROM pg_indexes WHERE schemaname = 'app'", database) == source.sql("SELECT count(*) FROM pg_indexes WHERE schemaname = 'app'", "shop")
    # changes, and a table that is new
    source.sql(CHANGES + "; CREATE TABLE app.later (id int PRIMARY KEY); INSERT INTO app.later VALUES (7); ALTER PUBLICATION pgconvoy_pair ADD TABLE app.later", "shop")
    again = s.pgconvoy(*ends, "--until", "caught-up").ok(120)
    assert "made subscription" not in again.stderr and "1 table of the publication is not in the subscription" in again.stderr and "--refresh" in again.stderr, again.stderr
    assert target.sql("SELECT to_regclass('app.later')", database) == ""
    assert target.sql("SELECT last_value FROM app.item_id_seq", database) == "3001"
    s.pgconvoy(*ends, "--refresh", "--until", "caught-up").ok(120)
    equal(s, source, target, database)
    # without --until it watches until it is told to stop; the servers go on
    watching = s.pgconvoy(*ends)
    scenario.wait_for(lambda: "sequences were carried over" in watching.stderr, 60, "it has caught up")
    assert watching.running() and watching.stop() == 0
    source.sql("INSERT INTO app.later VALUES (8)", "shop")
    scenario.wait_for(lambda: target.sql("SELECT count(*) FROM app.later", database) == "2", 60, "the servers go on")


def drop(s, source, target, database):
    ends = ["subscribe", source.uri("shop"), target.uri(database), "--name", "pair"]
    assert "DROP SUBSCRIPTION" in s.pgconvoy(*ends, "--drop", "--dry-run").ok().stdout
    s.pgconvoy(*ends, "--drop").ok()
    nothing_left(source, target, database)
    assert target.sql("SELECT count(*) FROM app.later", database) == "2", "a table went"
    s.pgconvoy(*ends, "--refresh").fails(1, "no subscription")
    # the tables are in the way now; truncated they are taken again
    s.pgconvoy(*ends, "--until", "caught-up").fails(1, ["in the target already", "--if-exists"])
    nothing_left(source, target, database)
    s.pgconvoy(*ends, "--until", "caught-up", "--if-exists", "truncate", "-T", "app.part", "--with", "origin=any" if target.version >= 16 else "synchronous_commit=off").ok(120)
    assert target.sql("SELECT count(*) FROM app.item", database) == source.sql("SELECT count(*) FROM app.item", "shop")


def refuse(s, source, target, ends, database):
    def refused(status, says, *options, arguments=None):
        s.pgconvoy(*(arguments or ends), *options).fails(status, says)
        nothing_left(source, target, database)
        assert target.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'app'", database) == "0", "a schema was left"

    refused(2, "--with", "--with", "create_slot=true")
    refused(2, "--until", "--until", "0/1")
    refused(1, "no table", "-t", "nothing")
    refused(1, ["public.mood", "CREATE TYPE"], "-t", "app.item")
    refused(1, ["connect", "--via"], "--via", "host=127.0.0.1 port=1")
    refused(1, "no_such_parameter", "--with", "no_such_parameter=1")
    # the same name is another server there, with the same database
    target.create_database("shop")
    refused(1, ["another one than the source", "--via"], "--via", f"host=127.0.0.1 port={target.port}")
    target.sql(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    refused(1, ["the target are read-only", "default_transaction_read_only = off"])
    target.sql(f"ALTER DATABASE {database} RESET default_transaction_read_only; DROP DATABASE shop")
    # its application could not write to it any more
    source.sql("CREATE TABLE app.bare (a int); INSERT INTO app.bare VALUES (1); UPDATE app.bare SET a = 2", "shop")
    scenario.wait_for(lambda: source.sql("SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'bare'", "shop") == "1", 20, "the server has counted")
    refused(1, ["app.bare", "no replica identity", "REPLICA IDENTITY FULL", "-T"])
    source.sql("DROP TABLE app.bare; CREATE TABLE app.bare (a int)", "shop")
    assert "app.bare" in s.pgconvoy("subscribe", *ends[1:], "--dry-run").ok().stderr, "a table that will refuse updates was not named"
    source.sql("DROP TABLE app.bare", "shop")
    source.sql("ALTER DATABASE shop SET default_transaction_read_only = on")
    refused(1, ["the source are read-only", "no publication", "--publication"])
    source.sql("ALTER DATABASE shop RESET default_transaction_read_only")
    refused(1, ["target: cannot connect to", "127.0.0.1 port 1 ", "check that the server runs"], arguments=["subscribe", source.uri("shop"), target.uri(database, port=1)])
    refused(1, ["source: cannot connect to", "127.0.0.1 port 1 ", "check that the server runs"], arguments=["subscribe", source.uri("shop", port=1), target.uri(database)])
    dry = s.pgconvoy("subscribe", source.uri("shop").replace("postgres@", "postgres:s3cr3t@"), ends[2], "--name", "pair", "--dry-run").ok()
    for words in ("/* source */ CREATE PUBLICATION", 'CREATE SUBSCRIPTION "pgconvoy_pair"', "********", "CREATE TABLE app.item", "publish_via_partition_root"):
        assert words in dry.stdout, f"{words} is not in\n{dry.stdout}"
    assert "s3cr3t" not in dry.stdout + dry.stderr, "a password was shown"
    nothing_left(source, target, database)


def standbys(s):
    """A standby as the target is refused; as the source it takes 16, and a publication that its primary has."""
    servers = [s.server(FAST, scenario.embedded_postgres(major)) for major in (15, 17)]
    target = s.server(FAST, scenario.embedded_postgres(17))
    target.create_database("copy")
    for primary in servers:
        primary.create_database("shop", SCHEMA)
        standby = s.standby(primary)
        if primary is servers[0]:
            s.pgconvoy("subscribe", standby.uri("shop"), target.uri("copy")).fails(1, ["is a standby", "before PostgreSQL 16", "primary as SOURCE"])
            for command in ("subscribe", "link"):
                s.pgconvoy(command, target.uri("copy"), standby.uri("shop")).fails(1, ["the target is a standby", "primary as TARGET"])
            standby.stop()
            primary.stop()
    ends = ["subscribe", standby.uri("shop"), target.uri("copy"), "--name", "far"]
    s.pgconvoy(*ends).fails(1, ["is a standby and has no publication pgconvoy_far", "make the publication on the primary", "--publication"])
    nothing_left(standby, target, "copy")
    primary.sql("CREATE PUBLICATION made FOR ALL TABLES WITH (publish_via_partition_root)", "shop")
    scenario.wait_for(lambda: standby.publications("shop"), 60, "the standby has it")
    load = s.load(primary.pgbench("-c", 1, "-T", 3600, "-R", 10, script="SELECT pg_log_standby_snapshot();\n"))
    s.pgconvoy(*ends, "--publication", "made").fails(1, "public.")
    target.sql("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN price AS numeric(10, 2) CHECK (VALUE >= 0)", "copy")
    run = s.pgconvoy(*ends, "--publication", "made", "--until", "caught-up").ok(120)
    assert "pg_log_standby_snapshot() on the primary" in run.stderr, run.stderr
    equal(s, primary, target, "copy")
    primary.sql(CHANGES, "shop")
    scenario.wait_for(lambda: standby.sql("SELECT count(*) FROM app.part", "shop") == "2", 60, "the standby has the changes")
    s.pgconvoy(*ends, "--publication", "made", "--until", "caught-up").ok(120)
    equal(s, primary, target, "copy")
    load.stop()
    s.pgconvoy(*ends, "--publication", "made", "--drop").ok()
    assert not standby.slots() and primary.publications("shop") == ["made"] and target.sql("SELECT count(*) FROM pg_subscription", "copy") == "0"


def main(s):
    if s.case == "standbys":
        return standbys(s)
    source, target = s.server(FAST), s.server({**FAST, "log_statement": "all", "log_min_duration_statement": "0"})
    pair(s, source, target, "copy", True)
    drop(s, source, target, "copy")
    # a row in the way stops the workers, which is named
    target.sql("INSERT INTO app.later VALUES (100)", "copy")
    source.sql("INSERT INTO app.later VALUES (100)", "shop")
    s.pgconvoy("subscribe", source.uri("shop"), target.uri("copy"), "--name", "pair", "--until", "caught-up").fails(1, ["failed", "the target's log"], seconds=120)
    with open(target.log, errors="replace") as file:
        assert "s3cr3t" not in file.read(), "the password is in the target's log"
    if os.environ.get("SUBSCRIBE_ALL"):
        newer = s.server(FAST, scenario.embedded_postgres(17))
        newest = s.server(FAST, scenario.embedded_postgres(17))
        s.pgconvoy("subscribe", source.uri("shop"), target.uri("copy"), "--name", "pair", "--drop").ok()
        source.sql("ALTER DATABASE shop RENAME TO first")
        pair(s, source, newer, "copy", False)
        newer.sql("DROP SUBSCRIPTION pgconvoy_pair", "copy")
        pair(s, newer, newest, "copy", False)
        assert newest.sql("SELECT subfailover FROM pg_subscription", "copy") == "t" and newest.sql("SELECT substream FROM pg_subscription", "copy") == "p"
        drop(s, newer, newest, "copy")
        newest.create_database("shop", SCHEMA)
        newest.create_database("beside")
        s.pgconvoy("subscribe", newest.uri("shop"), newest.uri("beside"), "--until", "caught-up").ok(120)
        equal(s, newest, newest, "beside")


whole = os.environ.get("SCENARIO_FULL") or sys.argv[1:] not in ([], ["--list"])
scenario.run(main, cases=["servers", "standbys"] if whole else ["servers"])
