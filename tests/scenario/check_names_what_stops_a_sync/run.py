#!/usr/bin/env python3
"""Whatever would stop or spoil a job is named by `check`, one item for each, and passes when the mend that it gave was applied.

CHECK_ALL=1 takes the items as well that need servers of other kinds (others.py), and holds that no item of docs/check.md was left out.
"""
import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../../lib")]
import scenario
from checked import Checked, apply
from others import every_item_was_broken_and_mended, others

ALL = bool(os.environ.get("CHECK_ALL"))


def settings(s, source, target):
    """The source's settings, all mended by their own words and one restart."""
    for name, value in (("wal_level", "replica"), ("max_replication_slots", "1"), ("max_wal_senders", "1"), ("max_slot_wal_keep_size", "1GB"),
                        ("wal_sender_timeout", "5s"), ("max_connections", "10"), ("max_prepared_transactions", "5")):
        source.sql(f"ALTER SYSTEM SET {name} = '{value}'")
    target.sql("ALTER SYSTEM SET max_logical_replication_workers = 0; ALTER SYSTEM SET max_connections = 6; ALTER SYSTEM SET default_transaction_read_only = on")
    source.restart()
    target.restart()
    source.sql("SELECT pg_create_physical_replication_slot('taken')")
    found = Checked(s, source.uri("shop"), target.uri("copy"), "-j", "4", status=3)
    mends = found.names("wal_level", "failed", "replica") + found.names("max_replication_slots", "failed", "all 1") + found.names("max_wal_senders", "warned", "0 of 1") + \
        found.names("max_slot_wal_keep_size", "warned", "1GB") + found.names("wal_sender_timeout", "warned", "5s") + found.names("source_connections", "warned")
    apply(source, mends)
    # what fails stops a sync, a copy and a stream before they begin, but for what is named
    for job in (["sync"], ["stream"], ["copy"], ["copy", "-t", "item", "--publication", "none"]):
        run = s.pgconvoy(job[0], source.uri("shop"), target.uri("copy"), *job[1:], "-j", "1").fails(1, ["read-only", "ALTER ROLE", "--skip-check target_read_only"])
    begun = s.pgconvoy("copy", source.uri("shop"), target.uri("copy"), "-j", "1", "--skip-check", "target_read_only,disk_space")
    assert begun.wait() == 1 and "--skip-check" not in begun.stderr and "read-only" in begun.stderr, begun.stderr
    mends = found.names("target_connections", ("warned", "failed"), "connections are in use", "ALTER SYSTEM SET max_connections")
    apply(target, found.names("target_read_only", "failed") + ["SET default_transaction_read_only = off; " + mend for mend in mends], "copy")
    found = Checked(s, source.uri("shop"), target.uri("copy"), "--for", "subscribe")
    apply(target, ["SET default_transaction_read_only = off; " + mend for mend in found.names("max_logical_replication_workers", "failed")], "copy")
    target.sql("ALTER SYSTEM RESET default_transaction_read_only")
    source.restart()
    target.restart()
    found = Checked(s, source.uri("shop"), target.uri("copy"), "--for", "subscribe", "-j", "4")
    found.passes("wal_level", "max_replication_slots", "max_wal_senders", "max_slot_wal_keep_size", "wal_sender_timeout", "source_connections", "target_connections", "target_read_only",
                 "max_logical_replication_workers")


def privileges(s, source, target):
    """A role that may do nothing is told each thing that it lacks; with the grants that it was told it may."""
    for server in (source, target):
        server.sql("CREATE ROLE plain LOGIN; CREATE ROLE \"Owner's\"; REVOKE CREATE ON SCHEMA public FROM public")
    source.sql("""CREATE SCHEMA app; CREATE TABLE app.secret (id int PRIMARY KEY); ALTER TABLE app.secret OWNER TO "Owner's"; CREATE TABLE app.hidden (id int PRIMARY KEY);
                  ALTER TABLE app.hidden ENABLE ROW LEVEL SECURITY""", "shop")
    target.sql("CREATE SCHEMA app", "copy")
    ends = [source.uri("shop", user="plain"), target.uri("copy", user="plain"), "-n", "app"]
    found = Checked(s, *ends, status=3)
    source.sql("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public", "shop")
    Checked(s, *ends).names("target_is_source", "unchecked", ["permission denied", "pg_control_system"])
    source.sql("GRANT EXECUTE ON FUNCTION pg_control_system() TO public; CREATE ROLE rds_replication; GRANT rds_replication TO plain", "shop")
    Checked(s, *ends).passes("target_is_source", "replication_privilege")  # as on a managed service
    source.sql("REVOKE rds_replication FROM plain", "shop")
    for item, says in (("replication_privilege", "plain"), ("publication_privilege", "shop"), ("table_privilege", "app.secret"), ("table_ownership", "app.secret"), ("row_security", "app.hidden")):
        apply(source, found.names(item, "failed", says), "shop")
    apply(source, found.names("long_transactions", "unchecked", "plain"), "shop")
    for item, level in (("target_privilege", "failed"), ("target_schemas", "failed"), ("session_replication_role", "warned"), ("replication_origin", "warned")):
        apply(target, found.names(item, level, "plain"), "copy")
    found.names("types", "unchecked")  # since the tables may not be read: said, not guessed
    found = Checked(s, *ends)
    found.passes("replication_privilege", "publication_privilege", "table_privilege", "table_ownership", "row_security", "long_transactions", "target_privilege",
                 "target_schemas", "session_replication_role", "replication_origin", "types")
    apply(source, found.names("ddl_capture", "warned", "plain"), "shop")
    apply(target, Checked(s, *ends, "--for", "link").names("link_extension", "failed", "plain"), "copy")
    found = Checked(s, *ends, "--for", "subscribe")
    apply(target, found.names("subscription_privilege", "failed", "plain"), "copy")
    Checked(s, *ends).passes("ddl_capture")
    Checked(s, *ends, "--for", "subscribe").passes("subscription_privilege")
    Checked(s, *ends, "--for", "link").passes("link_extension")


def tables(s, source, target):
    """What tables, publications, slots and transactions of the source can have against them."""
    source.sql("""CREATE TABLE heap (id int); INSERT INTO heap VALUES (1); CREATE TABLE quiet (id int); CREATE UNLOGGED TABLE fast (id int PRIMARY KEY);
        CREATE EXTENSION jobs; INSERT INTO job VALUES (2); CREATE EXTENSION postgres_fdw; CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw; CREATE FOREIGN TABLE far (id int) SERVER away;
        CREATE TABLE numbered (id smallserial PRIMARY KEY); SELECT setval('numbered_id_seq', 32000); SELECT lo_create(0);
        CREATE COLLATION sorted (provider = icu, locale = 'und'); UPDATE pg_collation SET collversion = '1' WHERE collname = 'sorted';
        CREATE PUBLICATION theirs FOR TABLE numbered WITH (publish = 'insert'); SELECT pg_create_logical_replication_slot('theirs', 'test_decoding')""", "shop")
    source.sql("UPDATE heap SET id = 2", "shop")
    source.sql("BEGIN; INSERT INTO numbered VALUES (1); PREPARE TRANSACTION 'it''s open'", "shop")
    idle = s.session(source, "CREATE TEMPORARY TABLE passing (id int); BEGIN; INSERT INTO numbered VALUES (2);", "shop")
    scenario.wait_for(lambda: source.sql("SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'heap'", "shop") == "1", 20, "the update is counted")
    scenario.wait_for(lambda: source.sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND now() - state_change > '3.2 s'") == "1", 20, "it is idle")
    ends = [source.uri("shop"), "duckdb:" + os.path.join(s.folder, "x.duckdb")]
    found = Checked(s, *ends, status=3)
    # a sync refuses by itself, and begins when it is told to: it then waits for that transaction's end
    aside = ["sync", source.uri("shop"), "duckdb:" + os.path.join(s.folder, "aside.duckdb"), "-t", "numbered", "--name", "aside", "--until", "caught-up"]
    s.pgconvoy(*aside).fails(1, ["it''s open", "--skip-check prepared_transactions"])
    assert "pgconvoy_aside" not in source.slots(), "a slot was made"
    run = s.pgconvoy(*aside, "--skip-check", "prepared_transactions")
    scenario.wait_for(lambda: "pgconvoy_aside" in source.slots(), 30, "its slot is being made")
    scenario.wait_for(lambda: "the slot waits for" in run.stderr or not run.running(), 30, "it says what it waits for")
    assert "the oldest is the prepared transaction 'it''s open' in database shop" in run.stderr, run.error_tail()
    apply(source, found.names("long_transactions", "warned", "postgres", "pg_terminate_backend") + found.names("prepared_transactions", "failed", "it''s open"), "shop")
    run.ok()
    # a slot that somebody reads
    reader = s.pgconvoy(*aside[:-2])
    named = ["-t", "numbered", "--slot", "pgconvoy_aside"]
    scenario.wait_for(lambda: source.sql("SELECT active FROM pg_replication_slots WHERE slot_name = 'pgconvoy_aside'") == "t", 30, "it streams")
    busy = Checked(s, *ends, *named).names("replication_slot", "failed", "in use by pid", "pg_terminate_backend")
    reader.send(signal.SIGSTOP)  # or it would come back
    apply(source, busy, "shop")
    scenario.wait_for(lambda: source.sql("SELECT active FROM pg_replication_slots WHERE slot_name = 'pgconvoy_aside'") == "f", 30, "its reader is gone")
    Checked(s, *ends, *named).passes("replication_slot")
    reader.kill()
    mends = found.names("replica_identity", "failed", ["public.heap", "public.quiet"]) + found.names("unlogged_tables", "warned", "public.fast") + found.names("sequences", "warned", "numbered_id_seq") + \
        found.names("source_collation_version", "warned", "public.sorted")
    found.names("foreign_tables", "warned", "public.far", "-T 'public.far'")
    found.names("large_objects", "warned", "1 large object")
    found.names("temporary_tables", "warned", "passing")
    found.names("extension_rows", "warned", "extension jobs keeps rows of its user in public.job", "-t 'public.job'")
    Checked(s, *ends, "-t", "item", "-t", "job").passes("extension_rows")
    heap = ["sync", source.uri("shop"), "-", "-t", "heap", "--name", "heap", "--until", "caught-up"]
    s.pgconvoy(*heap).fails(1, ["public.heap", "--skip-check replica_identity"])
    assert "updates and deletes from now on: public.heap" in s.pgconvoy(*heap, "--skip-check", "replica_identity").ok().stderr
    s.pgconvoy("drop", *heap[1:3], "--name", "heap").ok()
    apply(source, mends, "shop")
    s.end_session(idle)
    source.sql("SELECT lo_unlink(oid) FROM pg_largeobject_metadata; DELETE FROM job WHERE id = 2", "shop")
    found = Checked(s, *ends, "-T", "public.far", status=0)
    found.passes("replica_identity", "unlogged_tables", "sequences", "prepared_transactions", "long_transactions", "foreign_tables", "large_objects", "temporary_tables", "source_collation_version")
    # a publication and a slot of somebody else
    named = ["--publication", "theirs", "--slot", "theirs", "-t", "numbered", "-t", "quiet"]
    found = Checked(s, *ends, *named, status=3)
    apply(source, found.names("publication", "warned", "update, delete, truncate") + found.names("publication_tables", "warned", "public.quiet") + found.names("replication_slot", "failed", "test_decoding"), "shop")
    Checked(s, *ends, *named, status=0).passes("publication", "publication_tables", "replication_slot")
    # nothing to move
    source.create_database("bare")
    Checked(s, source.uri("bare"), status=3).names("tables", "failed", "bare")
    source.sql("CREATE TABLE t (id int PRIMARY KEY)", "bare")
    Checked(s, source.uri("bare"), status=0).passes("tables")
    source.sql("CREATE DATABASE bytes ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    source.sql("CREATE TABLE t (id int PRIMARY KEY)", "bytes")
    apply(source, Checked(s, source.uri("bytes"), status=0).names("source_encoding", "warned", "SQL_ASCII"))
    source.sql("CREATE TABLE t (id int PRIMARY KEY)", "new")
    Checked(s, source.uri("new"), status=0).passes("source_encoding")
    source.sql("DROP DATABASE new")


def pair(s, source, target):
    """What only both ends together show."""
    source.create_database("both", """CREATE EXTENSION hstore; CREATE COLLATION mine (provider = icu, locale = 'de'); CREATE TABLE t (id int PRIMARY KEY, h hstore, name text COLLATE mine);
        CREATE TABLE u (id int PRIMARY KEY, h hstore)""")
    target.create_database("both", "CREATE TABLE u (mine text)")
    ends = [source.uri("both"), target.uri("both")]
    found = Checked(s, *ends, "--for", "link", status=3)
    apply(target, found.names("extensions", "failed", "hstore") + found.names("column_collations", "warned", "mine"), "both")
    Checked(s, *ends, "--for", "link", status=0).passes("extensions", "column_collations")
    found = Checked(s, *ends, status=3)
    found.passes("extensions", "column_collations", "types")
    found.names("target_tables", "failed", "public.u", "--if-exists")
    Checked(s, *ends, "--if-exists", "truncate").names("target_tables", "failed")  # it has other columns
    Checked(s, *ends, "--if-exists", "drop", status=0).passes("target_tables")
    target.sql("DROP EXTENSION hstore CASCADE; CREATE EXTENSION hstore VERSION '1.4'", "both")
    found = Checked(s, *ends, "--for", "copy", status=3)
    apply(target, found.names("names_in_the_way", "failed", "public.u") + found.names("extensions", "warned", "1.4"), "both")
    # under other names nothing is in the way, and what is under them is; rows alone want the tables there
    target.sql("CREATE TABLE other (id int)", "both")
    Checked(s, *ends, "--for", "copy", "--map-table", "public.u=other").names("names_in_the_way", "failed", "public.other")
    Checked(s, *ends, "--map-table", "public.u=other").names("target_tables", "failed", "public.other")
    Checked(s, *ends, "--for", "copy", "--map-schema", "public=elsewhere").passes("names_in_the_way")
    Checked(s, *ends, "--map-schema", "public=elsewhere", status=0).passes("target_tables")
    target.sql("DROP TABLE other", "both")
    place = os.path.join(source.folder, "place")
    os.mkdir(place)
    subprocess.run(["chown", "--reference", source.data, place], check=True)
    source.sql(f"CREATE TABLESPACE aside LOCATION '{place}'")
    source.sql("CREATE ROLE reader; GRANT SELECT ON t TO reader; ALTER TABLE u SET TABLESPACE aside", "both")
    # a sync does what it can, with the options of a copy
    found = Checked(s, *ends, status=3)
    found.names("roles", "warned", "reader", "--roles")
    found.names("tablespaces", "failed", "aside", "--skip-unavailable")
    for options, overruled in ((["--roles"], "roles"), (["-O", "-x"], "roles"), (["--skip-unavailable"], "tablespaces")):
        assert Checked(s, *ends, *options).items[overruled]["overruled"], options
    target.sql("CREATE TABLE u (id int PRIMARY KEY, h hstore)", "both")
    Checked(s, *ends, "--if-exists", "append", status=0).passes("tablespaces")  # of a table that the target has
    target.sql("DROP TABLE u", "both")
    found = Checked(s, *ends, "--for", "copy", status=3)
    found.passes("names_in_the_way", "extensions")
    apply(target, found.names("roles", "failed", "reader"), "both")
    mends = found.names("tablespaces", "failed", "aside", "--no-tablespaces")
    found = Checked(s, *ends, "--for", "copy", "--no-tablespaces", status=0)
    found.passes("roles")
    assert found.items["tablespaces"]["overruled"] and found.document["overruled"] == 1
    s.pgconvoy("copy", *ends).fails(1, ["tablespace aside", "--skip-check tablespaces"])
    place = os.path.join(target.folder, "place")
    os.mkdir(place)
    subprocess.run(["chown", "--reference", target.data, place], check=True)
    apply(target, [mend.replace("/a/folder/there", place) for mend in mends])
    Checked(s, *ends, "--for", "copy", status=0).passes("tablespaces")
    # a type that is there, but another one
    source.sql("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE felt (id int PRIMARY KEY, m mood)", "both")
    target.sql("CREATE TYPE mood AS ENUM ('sad')", "both")
    apply(target, Checked(s, *ends, "-t", "felt", status=3).names("types", "failed", ["public.mood", "'ok'"]), "both")
    Checked(s, *ends, "-t", "felt").passes("types")
    # from one server to the other
    for job in ("subscribe", "link"):
        away = [source.uri("shop"), target.uri("copy"), "--for", job]
        Checked(s, *away, "--via", "host=127.0.0.1 port=1", status=3).names("target_reaches_source", "failed", "could not connect", "--via")
        Checked(s, *away).passes("target_reaches_source")
    assert target.sql("SELECT (SELECT count(*) FROM pg_subscription) + (SELECT count(*) FROM pg_foreign_server)", "copy") == "0"
    # encodings, and the order of text by what it was made with
    target.sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    found = Checked(s, source.uri("shop"), target.uri("latin"))
    found.names("encoding", "warned", "LATIN1", "UTF8")
    apply(target, found.names("collation", "warned", "C.UTF-8 / C.UTF-8"))
    Checked(s, source.uri("shop"), target.uri("new")).passes("encoding", "collation")
    target.sql("DROP DATABASE new")
    source.sql("CREATE DATABASE cyrillic ENCODING 'KOI8R' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    source.sql("CREATE TABLE t (id int PRIMARY KEY)", "cyrillic")
    target.sql("CREATE DATABASE korean ENCODING 'EUC_KR' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    s.pgconvoy("sync", source.uri("cyrillic"), target.uri("korean")).fails(1, ["KOI8R", "EUC_KR", "--skip-check encoding"])
    apply(target, Checked(s, source.uri("cyrillic"), target.uri("korean"), status=3).names("encoding", "failed", "KOI8R"))
    Checked(s, source.uri("cyrillic"), target.uri("new")).passes("encoding")
    for server in (source, target):
        server.sql("CREATE DATABASE sorted LOCALE_PROVIDER icu ICU_LOCALE 'de' TEMPLATE template0; UPDATE pg_database SET datcollversion = '1' WHERE datname = 'sorted'")
    source.sql("CREATE TABLE t (id int PRIMARY KEY)", "sorted")
    found = Checked(s, source.uri("sorted"), target.uri("sorted"))
    found.passes("collation")
    for server, item in ((source, "source_collation_version"), (target, "target_collation_version")):
        for mend in found.names(item, "warned", "version 1 "):
            for statement in mend.split("; "):
                server.sql(statement, "sorted")
    Checked(s, source.uri("sorted"), target.uri("sorted")).passes("source_collation_version", "target_collation_version")
    target.sql("DROP DATABASE new")
    apply(target, Checked(s, source.uri("sorted"), target.uri("copy")).names("collation", "warned", "icu de"))
    Checked(s, source.uri("sorted"), target.uri("new")).passes("collation")
    # the ends themselves
    Checked(s, source.uri("shop"), source.uri("shop"), status=3).names("target_is_source", "failed", mend="another database")
    Checked(s, source.uri("shop"), target.uri("copy")).passes("target_is_source")
    found = Checked(s, source.uri("shop"), target.uri("nowhere"), status=3)
    found.names("target_connection", "failed", "nowhere")
    found.names("extensions", "unchecked", "target could not be connected to")
    found.passes("wal_level")
    found = Checked(s, source.uri("nowhere"), target.uri("copy"), status=3)
    found.names("source_connection", "failed", "nowhere")
    found.names("wal_level", "unchecked", "source could not be connected to")
    for server in (source, target):
        server.create_database("nowhere")
    Checked(s, source.uri("nowhere"), target.uri("nowhere")).passes("source_connection", "target_connection")
    for server in (source, target):
        server.sql("DROP DATABASE nowhere")
    found = Checked(s, source.uri("shop"), "duckdb:" + os.path.join(s.folder, "no/folder/x.duckdb"), status=3)
    found.names("target_opens", "failed", "no/folder")
    found.names("disk_space", "unchecked", "no/folder")
    os.makedirs(os.path.join(s.folder, "no/folder"))
    Checked(s, source.uri("shop"), "duckdb:" + os.path.join(s.folder, "no/folder/x.duckdb")).passes("target_opens", "disk_space")


def view(s, source, target):
    """As people read it: aligned, no colours into a file, the share that passed at the end; and a wrong command line."""
    source.create_database("seen", "CREATE TABLE heap (id int)")
    run = s.pgconvoy("check", source.uri("seen"), "-")
    assert run.wait() == 0
    lines = run.stdout.strip().split("\n")
    assert "\033" not in run.stdout and lines[0].startswith("source: database \"seen\""), lines[0]
    total, passed = len([line for line in lines if line.startswith("  passed")]), len([line for line in lines if line[2:8] in ("passed", "warned")])
    assert lines[-1].startswith(f"{total} of {passed} passed ("), lines[-1]
    at = [line.index(name) for line in lines for name in ("wal_level  ", "replica_identity  ") if name in line and line.startswith("  ")]
    assert len(at) == 2 and len(set(at)) == 1, "not aligned"
    assert any(line.strip() == "mend: ALTER TABLE public.heap REPLICA IDENTITY FULL; -- or give it a primary key, or leave it out by -T" for line in lines), run.stdout
    described = open(os.path.join(scenario.TOP, "docs/check.md")).read()
    for job in ("sync", "copy", "subscribe", "link"):
        for item in Checked(s, source.uri("seen"), target.uri("copy"), "--for", job).items:
            assert f"| `{item}` |" in described, f"docs/check.md does not have {item}"
    s.pgconvoy("check", bare=True).fails(2)
    s.pgconvoy("check", source.uri("seen"), "--skip-check", "nothing").fails(2, "nothing")
    s.pgconvoy("check", source.uri("seen"), "nosuch:thing").fails(2)
    s.pgconvoy("check", source.uri("seen"), "--for", "fun").fails(2, "--for")
    secret = s.pgconvoy("check", source.uri("seen").replace("postgres@", "postgres:s3cr3t@"), target.uri("nowhere").replace("postgres@", "postgres:s3cr3t@"))
    secret.wait()
    assert "s3cr3t" not in secret.stdout + secret.stderr, "a password was shown"


def main(s):
    source = s.server(s.own_extensions({"jobs": "CREATE TABLE job (id int PRIMARY KEY); INSERT INTO job VALUES (1); SELECT pg_catalog.pg_extension_config_dump('job', 'WHERE id > 1 -- its own')"}))
    target = s.server()
    source.create_database("shop", "CREATE TABLE item (id int PRIMARY KEY, name text)")
    target.create_database("copy")
    for part in (settings, privileges, tables, pair, view):
        part(s, source, target)
    if ALL:
        others(s, source, target)
        every_item_was_broken_and_mended()


scenario.run(main)
