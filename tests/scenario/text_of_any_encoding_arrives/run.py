#!/usr/bin/env python3
"""
Text of databases that are not in UTF-8: converted where it can be, as the bytes that it is where a database has no encoding (SQL_ASCII), and otherwise refused
by name. In the copy, in changes, and in a table that comes later.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLE = "CREATE TABLE {0} (id int PRIMARY KEY, value text); CREATE TABLE \"{0}_no_key\" (value text); ALTER TABLE \"{0}_no_key\" REPLICA IDENTITY FULL"
ROWS = "INSERT INTO {0} SELECT i, i || E'{1}' FROM generate_series({2}, {3}) AS i; INSERT INTO \"{0}_no_key\" SELECT value FROM {0} WHERE id BETWEEN {2} AND {3}"
LATIN = "\\xe9\\xff"  # é and ÿ there; no character of UTF-8


def database(server, encoding):
    server.sql(f"CREATE DATABASE text ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    return server.uri("text")


def ends(s, source_encoding, target_encoding):
    source, target = s.server(), s.server()
    return source, target, database(source, source_encoding), database(target, target_encoding)


def sync(s, source_uri, target_uri, *options):
    return s.pgconvoy("sync", source_uri, target_uri, "--name", "text", "--until", "caught-up", *options)


def bytes_of(server, table, encoding="UTF8"):
    as_bytes = f"encode(convert_to(value, '{encoding}'), 'hex')" if encoding else "encode(value::bytea, 'hex')"
    return server.sql(f"SELECT {as_bytes} FROM {table} ORDER BY 1", "text")


def same(source, target, encoding):
    for table in ("t", "t_no_key", "later", "later_no_key"):
        assert bytes_of(source, table, encoding) == bytes_of(target, table, encoding), (table, bytes_of(target, table, encoding))


def moved(s, source, target, source_uri, target_uri, text, encoding):
    source.sql(TABLE.format("t") + ";" + ROWS.format("t", text, 1, 3), "text")
    sync(s, source_uri, target_uri).ok()
    source.sql(ROWS.format("t", text, 4, 5) + f"; UPDATE t SET value = value || E'{text}' WHERE id = 1; DELETE FROM t_no_key WHERE value = E'2{text}';"
               f"UPDATE t_no_key SET value = E'{text}' WHERE value = E'3{text}'", "text")
    source.sql(ROWS.format("t", text, 1000, 3000), "text")  # enough to be applied in bulk
    source.sql(TABLE.format("later") + ";" + ROWS.format("later", text, 1, 3), "text")
    sync(s, source_uri, target_uri).ok()
    source.sql(ROWS.format("later", text, 4, 5), "text")
    sync(s, source_uri, target_uri).ok()
    same(source, target, encoding)
    assert source.sql("SELECT count(*) FROM t WHERE length(value) > 1", "text") == "2006"
    s.pgconvoy("verify", source_uri, target_uri).ok()
    target.sql("DELETE FROM t WHERE id = 1; UPDATE t SET value = value || value WHERE id = 2; UPDATE t SET value = value || id WHERE id = 3;"
               "INSERT INTO t_no_key SELECT value || value FROM t WHERE id = 5", "text")
    repair = os.path.join(s.folder, "repair.sql")
    s.pgconvoy("verify", source_uri, target_uri, "--repair", "sql", "--repair-file", repair).fails(status=3)
    subprocess.run([*target.psql_command("text", "-f", repair)], check=True)
    same(source, target, encoding)


def a_latin_source(s):
    source, target, source_uri, target_uri = ends(s, "LATIN1", "UTF8")
    moved(s, source, target, source_uri, target_uri, LATIN, "UTF8")
    assert target.sql("SELECT value FROM t WHERE id = 4", "text") == "4éÿ"


def a_latin_target(s):
    """What it lacks is refused, with the table and the mend, and nothing of its transaction is there."""
    source, target, source_uri, target_uri = ends(s, "UTF8", "LATIN1")
    moved(s, source, target, source_uri, target_uri, "é", "UTF8")
    source.sql("BEGIN; INSERT INTO t VALUES (8000, 'plain'); INSERT INTO t VALUES (8001, '€'); COMMIT", "text")
    sync(s, source_uri, target_uri).fails(says=("public.t", "0xe2 0x82 0xac", "ENCODING 'UTF8'"))
    assert target.sql("SELECT count(*) FROM t WHERE id >= 8000", "text") == "0"
    # a dump has no target whose encoding could be another
    dump = s.pgconvoy("dump", "-E", "LATIN1", "-f", os.path.join(s.folder, "dump"), source_uri, bare=True)
    dump.fails(says="0xe2 0x82 0xac")
    assert "target" not in dump.stderr, dump.stderr


def bytes_to_bytes(s):
    source, target, source_uri, target_uri = ends(s, "SQL_ASCII", "SQL_ASCII")
    moved(s, source, target, source_uri, target_uri, LATIN, None)


def bytes_to_text(s):
    source, target, source_uri, target_uri = ends(s, "SQL_ASCII", "UTF8")
    moved(s, source, target, source_uri, target_uri, "é", None)
    source.sql(f"INSERT INTO t VALUES (8000, 'plain'), (8001, E'{LATIN}')", "text")
    sync(s, source_uri, target_uri).fails(says=("public.t", "0xe9", "SQL_ASCII"))
    assert target.sql("SELECT count(*) FROM t WHERE id >= 8000", "text") == "0"
    source.sql(f"CREATE TABLE other (id int PRIMARY KEY, value text); INSERT INTO other VALUES (1, E'{LATIN}')", "text")
    s.pgconvoy("sync", source_uri, target_uri, "--name", "other", "-t", "other", "--until", "caught-up").fails(says=("public.other", "0xe9", "SQL_ASCII"))


def bytes_to_lines(s):
    """As docs/sinks/stdout.md has it: one by one."""
    source = s.server()
    uri = database(source, "SQL_ASCII")
    source.sql(TABLE.format("t") + ";" + ROWS.format("t", LATIN, 1, 1), "text")
    target = s.target("stdout")
    s.sync(uri, target, "--name", "text", "--until", "caught-up").ok()
    source.sql(ROWS.format("t", LATIN, 2, 2), "text")
    s.sync(uri, target, "--name", "text", "--until", "caught-up").ok()
    with open(target.path, encoding="utf-8") as lines:
        text = lines.read()
    for number in (1, 2):
        assert text.count(f'"{number}\\u00e9\\u00ff"') == 3, text  # of the table without a key also as its key


def bytes_to_duckdb(s):
    source = s.server()
    uri = database(source, "SQL_ASCII")
    source.sql(TABLE.format("t") + ";" + ROWS.format("t", "é", 1, 1), "text")
    target = s.target("duckdb")
    s.sync(uri, target, "--name", "text", "--until", "caught-up").ok()
    source.sql("INSERT INTO t VALUES (8000, 'é')", "text")
    s.sync(uri, target, "--name", "text", "--until", "caught-up").ok()
    assert target.query("SELECT value FROM public.t WHERE id = 8000").strip() == "é"
    source.sql(f"INSERT INTO t VALUES (8001, E'{LATIN}')", "text")
    s.sync(uri, target, "--name", "text", "--until", "caught-up").fails(says=("value", "public.t", "SQL_ASCII"))


CASES = {"latin": a_latin_source, "latin_target": a_latin_target, "bytes": bytes_to_bytes, "bytes_to_text": bytes_to_text, "lines": bytes_to_lines,
         "duckdb": bytes_to_duckdb}
scenario.run(lambda s: CASES[s.case](s), cases=list(CASES))
