#!/usr/bin/env python3
"""
Servers, databases and roles have settings for their own applications: of dates, of money, of how arrays and XML are read, of encodings and isolation, of languages. None of them changes
a value or a definition on its way, nor whether an error heals by itself.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

SETTINGS = {"datestyle": "'SQL, DMY'", "intervalstyle": "sql_standard", "timezone": "'Asia/Kolkata'", "bytea_output": "escape", "extra_float_digits": "-5", "array_nulls": "off",
            "transform_null_equals": "on", "quote_all_identifiers": "on", "xmloption": "document", "client_encoding": "LATIN1", "search_path": "nowhere",
            "default_transaction_isolation": "serializable", "default_transaction_deferrable": "on", "client_min_messages": "log", "log_statement": "'all'",
            "row_security": "off", "check_function_bodies": "on", "default_text_search_config": "'pg_catalog.german'"}

TABLES = """
CREATE TYPE comp AS (a text, b money, c date, d text[]); CREATE DOMAIN owed AS money CHECK (VALUE > '-1000000'::money);
CREATE TABLE t (id int PRIMARY KEY, m money DEFAULT '1234.50', ms money[], a text[], x xml, d date DEFAULT '2020-02-03', ts timestamptz, iv interval DEFAULT '1 day 2 hours', b bytea, f8 float8,
  f4 float4, c comp, o owed DEFAULT '7.25', t text DEFAULT 'Zoë €', r tstzrange, n numeric, ds date[], bs bytea[]);
CREATE TABLE "No Key" (m money, a text[], t text); ALTER TABLE "No Key" REPLICA IDENTITY FULL; COMMENT ON TABLE "No Key" IS 'ohne Schlüssel, 5 €';
CREATE FUNCTION fill(lowest int, highest int) RETURNS void LANGUAGE sql AS $$
  INSERT INTO t (id, m, ms, a, x, d, ts, iv, b, f8, f4, c, o, t, r, n, ds, bs) SELECT i, (i * 1234.56)::money, ARRAY[(i * -1234.56)::money, NULL], ARRAY['NULL', 'null', NULL, 'a\\b', 'x"y'''],
    XMLPARSE(CONTENT 'text <a/>&amp; ' || i), '2020-03-04'::date + i, '2020-05-06 07:08:09.123456+00'::timestamptz + i * interval '7 h', make_interval(months => i, days => -i, secs => i * 1.5),
    decode(md5(i::text), 'hex') || '\\x005c27'::bytea, i / 3.0::float8, i / 7.0::float4, ROW('q\\"''', (i * -1234.56)::money, '1999-12-31', ARRAY[NULL, 'NULL'])::comp, (i * 99.5)::money,
    E'back\\\\slash ''quote'' €ü日本', tstzrange('2020-01-02 03:04:05+00', '2021-04-03 02:01:00+00'), i / 7.0, ARRAY['2020-03-04'::date, NULL], ARRAY['\\x00ff5c'::bytea, NULL]
    FROM generate_series(lowest, highest) AS i;
  INSERT INTO "No Key" SELECT m, a, t FROM t WHERE id BETWEEN lowest AND highest $$;
SELECT fill(1, 50)"""

CHANGES = """SELECT fill(51, 60); UPDATE t SET m = m * 2, a = a || ARRAY['NULL', NULL], x = NULL WHERE id < 10; UPDATE t SET id = id + 1000, iv = iv * 3 WHERE id % 7 = 0;
DELETE FROM "No Key" WHERE m < '5000'::money; UPDATE "No Key" SET t = 'z' WHERE m > '60000'::money; INSERT INTO t (id) VALUES (5000); SELECT fill(2001, 4000); UPDATE t SET m = m * 3 WHERE id > 2000;
ALTER TABLE t ADD later money DEFAULT 1234567.89; INSERT INTO t (id) VALUES (5001)"""

# As the role does it whose settings they are. Of money no text: what it means hangs on a locale that the target may not have.
DEFINITIONS = """SET search_path = public; ALTER TABLE t ADD day date DEFAULT '03/04/2020', ADD moment timestamptz DEFAULT '05/06/2021 07:08', ADD share float8 DEFAULT 0.1;
CREATE VIEW without_text AS SELECT id FROM t WHERE t = NULL; CREATE INDEX without_text_index ON t (id) WHERE t = NULL;
INSERT INTO t (id) VALUES (6000); ALTER TABLE "No Key" ADD day date DEFAULT '03/04/2020'; CREATE TABLE fresh (id int PRIMARY KEY, day date DEFAULT '03/04/2020', note text); INSERT INTO fresh (id) VALUES (1)"""

MORE_DEFINITIONS = """SET search_path = public; ALTER TABLE t ADD span interval DEFAULT '1 -2:03:04', ADD words text[] DEFAULT '{NULL,a}', ADD bytes bytea DEFAULT 'ab\\\\c'; INSERT INTO t (id) VALUES (7000)"""

DEFINED = """SELECT a.attrelid::regclass::text, attname, pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute a ON attrelid = adrelid AND attnum = adnum JOIN pg_class c ON c.oid = adrelid AND relnamespace = 'public'::regnamespace
  ORDER BY 1, 2;
SELECT pg_get_viewdef('without_text'::regclass), pg_get_indexdef('without_text_index'::regclass), obj_description('"No Key"'::regclass)"""


def make_locales(s):
    """Of which the servers are to have more than the machine may have."""
    folder = os.path.join(s.folder, "locales")
    os.makedirs(folder)
    os.chmod(s.folder, 0o755)
    for name in ("de_DE", "en_IN"):
        subprocess.run(["localedef", "-i", name, "-f", "UTF-8", os.path.join(folder, name + ".UTF-8")], check=True)
    os.environ["LOCPATH"] = folder


def make_role(server, name, locale):
    settings = {**SETTINGS, "lc_monetary": f"'{locale}'", "lc_messages": f"'{locale}'"}
    server.sql(f"CREATE ROLE {name} SUPERUSER LOGIN; " + "".join(f"ALTER ROLE {name} SET {setting} = {value};" for setting, value in settings.items()))


def as_role(server, text):
    done = subprocess.run([*server.psql_command(), "-d", server.socket_conninfo(user="german"), "-f", "-"], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="latin1",
                          env={**os.environ, "PGOPTIONS": "-c client_min_messages=warning"})
    assert done.returncode == 0, done.stderr


def ends(s, kind):
    make_locales(s)
    source = s.server()
    make_role(source, "german", "de_DE.UTF-8")
    target = s.target(kind)
    if kind == "postgres":
        make_role(target.server, "indian", "en_IN.UTF-8")
        target.uri = target.server.uri(target.database, user="indian")
    source.sql(TABLES)
    return source, target, source.uri(user="german")


def nothing_was_said(run):
    """What a role wants to hear of the server is its own affair, and may hold what nobody else should read."""
    run.ok()
    assert "LOG:" not in run.stderr and "server says" not in run.stderr, run.stderr


def a_sync(s, kind):
    source, target, uri = ends(s, kind)
    nothing_was_said(s.sync_until_caught_up(uri, target, "--name", "set"))
    s.equal(source, target)
    source.sql(CHANGES)
    nothing_was_said(s.sync_until_caught_up(uri, target, "--name", "set"))
    s.equal(source, target)
    as_role(source, DEFINITIONS + (";" + MORE_DEFINITIONS if kind == "postgres" else ""))  # DuckDB does not read the text of their types
    nothing_was_said(s.sync_until_caught_up(uri, target, "--name", "set"))
    s.equal(source, target)
    if kind == "postgres":
        assert source.sql(DEFINED) == target.query(DEFINED), (source.sql(DEFINED), target.query(DEFINED))
        nothing_was_said(s.pgconvoy("verify", uri, target.uri, "-t", "public.t", "-t", '"No Key"'))


def a_copy(s):
    source, target, uri = ends(s, "postgres")
    as_role(source, "SET search_path = public; CREATE VIEW without_text AS SELECT id FROM t WHERE t = NULL; CREATE INDEX without_text_index ON t (id) WHERE t = NULL")
    nothing_was_said(s.pgconvoy("copy", uri, target.uri))
    s.equal(source, target)
    assert source.sql(DEFINED) == target.query(DEFINED), (source.sql(DEFINED), target.query(DEFINED))


def a_language(s):
    """A server that speaks German says by its codes what does not heal."""
    make_locales(s)
    # a Debian that is kept slim leaves out all translations
    words = ("Passwort", "Datenbank") if os.path.exists("/usr/share/locale/de/LC_MESSAGES/postgres-15.mo") else ("password", "database")
    source, target = s.server({"lc_messages": "'de_DE.UTF-8'"}), s.target("duckdb")
    source.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE ROLE guest LOGIN PASSWORD 'right'")
    with open(os.path.join(source.data, "pg_hba.conf"), "r+") as file:
        rest = file.read()
        file.seek(0)
        file.write("host all guest 127.0.0.1/32 scram-sha-256\n" + rest)
    source.sql("SELECT pg_reload_conf()")
    os.environ["PGPASSWORD"] = "wrong"
    run = s.pgconvoy("sync", source.uri(user="guest"), target.uri, "--name", "said").fails()
    assert words[0] in run.stderr and "PGPASSWORD" in run.stderr and "again" not in run.stderr, run.stderr
    del os.environ["PGPASSWORD"]
    run = s.pgconvoy("sync", source.uri("nowhere"), target.uri, "--name", "said").fails()
    assert words[1] in run.stderr and "check the name" in run.stderr and "3D000" not in run.stderr and "again" not in run.stderr, run.stderr


CASES = {"postgres": lambda s: a_sync(s, "postgres"), "duckdb": lambda s: a_sync(s, "duckdb"), "copy": a_copy, "language": a_language}
scenario.run(lambda s: CASES[s.case](s), cases=list(CASES))
