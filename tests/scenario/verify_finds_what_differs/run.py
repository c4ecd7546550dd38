#!/usr/bin/env python3
"""`verify` names whatever differs between two databases, nothing else, also while changes flow; its repair script makes them the same.

VERIFY_RUNS=20 makes the form under load that many runs long (make check: one).
"""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../../lib")]
import clickhouse as clickhouse_servers
import scenario
from objects import OBJECTS as EVERY_KIND, SCHEMA as OF_EVERY_KIND
from server import client  # noqa: F401

RUNS = int(os.environ.get("VERIFY_RUNS", "1"))
SCHEMA = """
CREATE TABLE t (id int PRIMARY KEY, b bytea, f float8, s text, at timestamptz, n numeric DEFAULT 1.50, j json, g int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO t (id, b, f, s, at, j) SELECT i, decode(md5(i::text), 'hex'), i / 3.0, 'name ' || i, '2026-01-01 12:00+00'::timestamptz + i * interval '1 s', '{"a": 1}' FROM generate_series(1, 30000) i;
CREATE TABLE pair (a text, b date, v int, PRIMARY KEY (a, b));
INSERT INTO pair SELECT 'k' || i % 50, date '2026-01-01' + i, i FROM generate_series(1, 20000) i;
CREATE TABLE keyless (a int, v text);
INSERT INTO keyless SELECT i % 1000, CASE WHEN i % 7 > 0 THEN 'v' || i % 10 END FROM generate_series(1, 10000) i;
CREATE TABLE parts (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (100); CREATE TABLE part_2 PARTITION OF parts FOR VALUES FROM (100) TO (1000);
INSERT INTO parts SELECT i, md5(i::text) FROM generate_series(1, 500) i;
CREATE TABLE child (id serial PRIMARY KEY, t int REFERENCES t, u int UNIQUE, CONSTRAINT positive CHECK (u > 0));
INSERT INTO child (t, u) SELECT i, i FROM generate_series(1, 100) i;
CREATE TABLE no_columns (); INSERT INTO no_columns DEFAULT VALUES;
CREATE INDEX t_s ON t (s); COMMENT ON TABLE t IS 'first';
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();
CREATE VIEW w AS SELECT id, s FROM t;
CREATE SEQUENCE q; SELECT setval('q', 41);
GRANT SELECT ON t, parts TO reader; ANALYZE;
"""
# What is done to the target, and what the report must name. Each is undone by the repair script.
ROWS = [
    ("a missing row", "DELETE FROM t WHERE id = 777", "t", "missing", "(id)=(777)", ""),
    ("an extra row", "INSERT INTO t (id) VALUES (99999)", "t", "extra", "(id)=(99999)", ""),
    ("one bit of a bytea", "UPDATE t SET b = set_bit(b, 5, 1 - get_bit(b, 5)) WHERE id = 5", "t", "changed", "(id)=(5)", "b"),
    ("NaN where there is NULL", "UPDATE t SET f = 'NaN' WHERE id = 6", "t", "changed", "(id)=(6)", "f"),
    ("a trailing space", "UPDATE t SET s = s || ' ' WHERE id = 29999", "t", "changed", "(id)=(29999)", "s"),
    ("a time zone", "UPDATE t SET at = at AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin' WHERE id = 15000", "t", "changed", "(id)=(15000)", "at"),
    ("the scale of a numeric", "UPDATE t SET n = 1.5 WHERE id = 16000", "t", "changed", "(id)=(16000)", "n"),
    ("the spaces of a json", "UPDATE t SET j = '{\"a\":1}' WHERE id = 16001", "t", "changed", "(id)=(16001)", "j"),
    ("a row of a key of two", "UPDATE pair SET v = -v WHERE a = 'k7' AND b = '2026-01-08'", "pair", "changed", "(a, b)=(k7, 2026-01-08)", "v"),
    ("a row without a key, once more", "INSERT INTO keyless VALUES (5, 'v5')", "keyless", "extra", "(a, v)=(5, v5)", "copies"),
    ("a row without a key, once less", "DELETE FROM keyless WHERE ctid = (SELECT ctid FROM keyless WHERE a = 7 AND v IS NULL LIMIT 1)", "keyless", "missing", "(a, v)=(7, NULL)", "copies"),
    ("a row of a partition", "UPDATE part_2 SET v = '' WHERE id = 300", "parts", "changed", "(id)=(300)", "v"),
    ("a row of no columns", "INSERT INTO no_columns DEFAULT VALUES", "no_columns", "extra", "()=()", "copies"),
]
OBJECTS = [
    ("a missing index", "DROP INDEX t_s", "missing", "INDEX public.t_s"),
    ("an extra index", "CREATE INDEX more ON t (at)", "extra", "INDEX public.more"),
    ("a missing key", "ALTER TABLE child DROP CONSTRAINT child_u_key", "missing", "CONSTRAINT public.child child_u_key"),
    ("a missing foreign key", "ALTER TABLE child DROP CONSTRAINT child_t_fkey", "missing", "FK CONSTRAINT public.child child_t_fkey"),
    ("a missing check", "ALTER TABLE child DROP CONSTRAINT positive", "changed", "TABLE public.child"),
    ("a missing trigger", "DROP TRIGGER tr ON t", "missing", "TRIGGER public.t tr"),
    ("a default", "ALTER TABLE t ALTER n SET DEFAULT 2", "changed", "TABLE public.t"),
    ("the default of a serial", "ALTER TABLE child ALTER id DROP DEFAULT", "missing", "DEFAULT public.child id"),
    ("a column that may be NULL", "ALTER TABLE pair ALTER v SET NOT NULL", "changed", "TABLE public.pair"),
    ("a type", "ALTER TABLE pair ALTER v TYPE bigint", "changed", "TABLE public.pair"),
    ("an owner", "ALTER TABLE keyless OWNER TO other", "changed", "TABLE public.keyless"),
    ("a missing grant", "REVOKE SELECT ON t FROM reader", "missing", "ACL public.TABLE t"),
    ("an extra grant", "GRANT INSERT ON keyless TO reader", "extra", "ACL public.TABLE keyless"),
    ("another grant", "GRANT UPDATE ON parts TO reader", "changed", "ACL public.TABLE parts"),
    ("a comment", "COMMENT ON TABLE t IS 'second'", "changed", "COMMENT public.TABLE t"),
    ("a function's body", "CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$", "changed", "FUNCTION public.f()"),
    ("a view", "CREATE OR REPLACE VIEW w AS SELECT id, upper(s) AS s FROM t", "changed", "VIEW public.w"),
    ("a missing sequence", "DROP SEQUENCE q", "missing", "SEQUENCE public.q"),
]


def verify(s, source, target, *options, status=None):
    run = s.pgconvoy("verify", source, target, "--json", "-j", "2", *options)
    got = run.wait(300)
    assert got == status if status is not None else got in (0, 3), f"exit status {got}: {run}\n{run.error_tail()}"
    return json.loads(run.stdout)


def summary(found):
    """All that was found, as a set of lines."""
    lines = {f"{item['kind']} {item['object']}" for item in found["schema"] + found["sequences"]}
    for table in found["tables"]:
        for row in table["rows"]:
            lines.add(f"{row['kind']} {table['table']} {row['key']}" + "".join(" " + detail["name"] for detail in row["details"]))
        counts = {kind: sum(row["kind"] == kind for row in table["rows"]) for kind in ("missing", "extra", "changed")}
        assert counts == {kind: table[kind] for kind in counts}, (table, counts)
        assert table["unsettled"] == 0 and table["at_target"], table
    return lines


def copies(s, server, names, schema=SCHEMA):
    server.sql("CREATE ROLE reader; CREATE ROLE other")
    server.create_database("source", schema)
    for name in names:
        server.sql(f"CREATE DATABASE {name} TEMPLATE source")
    return server.socket_conninfo("source")


def differs(s):
    """One difference after the other, each named alone, each mended by the script."""
    server = s.server()
    source = copies(s, server, ["target"])
    server.sql("UPDATE t SET f = NULL WHERE id = 6", "source")
    target = server.socket_conninfo("target")
    found = verify(s, source, target)
    assert summary(found) == {"changed t (id)=(6) f"}, summary(found)
    server.sql("UPDATE t SET f = NULL WHERE id = 6", "target")
    assert verify(s, source, target, status=0)["equal"]
    # all differences of rows at once: they do not get into each other's way
    for _, sql, *_ in ROWS:
        server.sql(sql, "target")
    expected = {f"{kind} {table} {key}" + (f" {column}" if column else "") for _, _, table, kind, key, column in ROWS}
    repair = os.path.join(s.folder, "repair.sql")
    found = verify(s, source, target, "--repair", "sql", "--repair-file", repair, status=3)
    assert summary(found) == expected, f"missed {expected - summary(found)}, made up {summary(found) - expected}"
    mend(server, repair)
    assert verify(s, source, target, status=0)["differences"] == 0
    # objects: each of them is named among all
    for some in (OBJECTS[::2], OBJECTS[1::2]):
        for _, sql, *_ in some:
            server.sql(sql, "target")
        found = summary(verify(s, source, target, "--no-rows", "--repair", "sql", "--repair-file", repair, status=3))
        expected = {f"{kind} {name}" for _, _, kind, name in some}
        assert found == expected, f"missed {expected - found}, made up {found - expected}"
        mend(server, repair)
        again = verify(s, source, target, "--no-rows")
        assert again["equal"], f"after the repair: {summary(again)}\n{open(repair).read()}"
    server.sql("SELECT setval('q', 40); SELECT setval('child_id_seq', 1000)", "target")
    found = verify(s, source, target, "--no-rows", "--repair", "sql", "--repair-file", repair, status=3)
    assert summary(found) == {"changed SEQUENCE public.q"}, found  # one that is ahead is in order
    mend(server, repair)
    verify(s, source, target, status=0)
    # large objects, of which a piece of 16 MB is hashed at a time
    for database in ("source", "target"):
        server.sql("SELECT lo_from_bytea(7001, 'first'), lo_from_bytea(7002, 'second'), lo_from_bytea(7003, ''), lo_create(7004); SELECT lo_put(7004, 17000000, 'end')", database)
    server.sql("SELECT lo_unlink(7001), lo_from_bytea(7009, 'more'); SELECT lo_put(7002, 3, 'x too long'); ALTER LARGE OBJECT 7003 OWNER TO other", "target")
    lost = {"missing LARGE OBJECT 7001", "changed LARGE OBJECT 7002", "changed LARGE OBJECT 7003", "extra LARGE OBJECT 7009"}
    assert summary(verify(s, source, target, "--repair", "sql", "--repair-file", repair, status=3)) == lost
    for options in (["--no-large-objects"], ["-t", "t"]):
        verify(s, source, target, *options, status=0)
    assert summary(verify(s, source, target, "-t", "t", "-b", "-O", status=3)) == lost - {"changed LARGE OBJECT 7003"}
    mend(server, repair)
    verify(s, source, target, status=0)
    server.sql("SELECT lo_put(7004, 16999999, 'x')", "target")
    assert summary(verify(s, source, target, "--repair", "sql", "--repair-file", repair, status=3)) == {"changed LARGE OBJECT 7004"}
    assert "-- by hand: large object 7004 has 17000003 bytes" in open(repair).read()
    server.sql("SELECT lo_put(7004, 16999999, '\\x00')", "target")
    # a table that is not there, columns in another order
    server.sql("DROP TABLE pair; CREATE TABLE again (v int, b date, a text, PRIMARY KEY (a, b)); ALTER TABLE again RENAME TO pair; ALTER INDEX again_pkey RENAME TO pair_pkey", "target")
    server.sql("INSERT INTO pair (a, b, v) SELECT 'k' || i % 50, date '2026-01-01' + i, i FROM generate_series(1, 20000) i", "target")
    verify(s, source, target, status=0)
    server.sql("DROP TABLE pair", "target")
    found = verify(s, source, target, status=3)
    assert [table["at_target"] for table in found["tables"] if table["table"] == "pair"] == [False] and "missing TABLE public.pair" in {f"{i['kind']} {i['object']}" for i in found["schema"]}


def mend(server, path):
    text = open(path, encoding="utf-8").read()
    assert "-- by hand" not in text, text
    server.sql(text, "target")


def objects(s):
    """Each kind of object, changed in a target of its own: it is named, nothing else is, and the script mends it or says what is to be done."""
    server = s.server()
    source = copies(s, server, [], OF_EVERY_KIND)
    repair, wrong = os.path.join(s.folder, "repair.sql"), []
    for what, sql, expected, by_script in EVERY_KIND:
        server.sql("CREATE DATABASE target TEMPLATE source")
        server.sql(sql, "target")
        options = [source, server.socket_conninfo("target"), "--no-rows", "--no-sequences", "--repair", "sql", "--repair-file", repair]
        found = summary(verify(s, *options, status=3))
        script = open(repair, encoding="utf-8").read()
        try:
            server.sql(script, "target")
        except RuntimeError as problem:
            script += str(problem)
        again = summary(verify(s, *options))
        if again == {"extra ACL app.TABLE far"}:  # by the default privileges of the target: found by the next run, as rows are
            server.sql(open(repair, encoding="utf-8").read(), "target")
            again = summary(verify(s, *options))
        if found != expected or by_script != ("-- by hand" not in script) or by_script != (not again):
            wrong.append(f"{what}: found {found}, after the repair {again}, by\n{script[script.index('replica;') + 9:]}")
        server.sql("DROP DATABASE target")
    assert not wrong, "\n".join(wrong)


# What a server writes of these once it has read what another one wrote is not the same text.
SPELLED = r"""
CREATE TABLE t (id int PRIMARY KEY, st varchar(10), n int, m int, note text DEFAULT E'it''s (ARRAY[''a''::text])::text[] \\ AND');
ALTER TABLE t ADD CONSTRAINT listed CHECK (st IN ('a', 'b, )', 'it''s')), ADD CONSTRAINT not_listed CHECK (st NOT IN ('x', NULL)), ADD CONSTRAINT of_some CHECK (st::varchar(5) IN (note::varchar(5), 'q', lower(st))),
  ADD CONSTRAINT between_first CHECK (n BETWEEN 1 AND 5 AND m > 0), ADD CONSTRAINT between_all CHECK (n BETWEEN 1 AND 5 AND m BETWEEN 2 AND 3 AND id > 0), ADD CONSTRAINT either CHECK (n NOT BETWEEN 1 AND 5 OR m > 0 OR (n BETWEEN 7 AND 8 AND m = 1));
CREATE INDEX partial ON t (id) WHERE st IN ('a', 'b'); CREATE POLICY p ON t USING (st IN ('a', 'b')); CREATE DOMAIN d AS varchar(10) CHECK (VALUE IN ('a', 'b'));
CREATE VIEW w AS SELECT id, sum(n) FILTER (WHERE st IN ('a', 'b')) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM t WHERE n BETWEEN 1 AND 5 AND m > 0;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $_$ SELECT 1 -- (ARRAY['a'::character varying])::text[]
$_$"""
RESPELLED = [
    ("ALTER TABLE t DROP CONSTRAINT listed, ADD CONSTRAINT listed CHECK (st IN ('a', 'b, ) ', 'it''s'))", "changed TABLE public.t"),
    ("ALTER TABLE t DROP CONSTRAINT between_first, ADD CONSTRAINT between_first CHECK (n BETWEEN 1 AND 5 OR m > 0)", "changed TABLE public.t"),
    ("ALTER TABLE t DROP CONSTRAINT either, ADD CONSTRAINT either CHECK (n NOT BETWEEN 1 AND 5 OR m > 0 OR (n BETWEEN 7 AND 9 AND m = 1))", "changed TABLE public.t"),
    ("ALTER TABLE t ALTER note SET DEFAULT E'it''s ARRAY[(''a''::text)::text] \\\\ AND'", "changed TABLE public.t"),
    ("DROP INDEX partial; CREATE INDEX partial ON t (id) WHERE st IN ('b', 'a')", "changed INDEX public.partial"),
    ("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $_$ SELECT 1 -- ARRAY[('a'::character varying)::text]\n$_$", "changed FUNCTION public.f()"),
]


def spelled(s):
    """A copy that is carried over by the definitions' text has no difference, and no less is found for that."""
    server = s.server()
    server.create_database("source", SPELLED)
    server.sql("CREATE DATABASE target")
    source, target = server.socket_conninfo("source"), server.socket_conninfo("target")
    s.pgconvoy("copy", source, target).ok()
    constraint = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'listed'"
    assert server.sql(constraint, "source") != server.sql(constraint, "target")
    assert not summary(verify(s, source, target, status=0))
    for sql, expected in RESPELLED:
        server.sql(sql, "target")
        found = verify(s, source, target, "--repair", "sql", "--repair-file", os.path.join(s.folder, "repair.sql"), status=3)
        assert summary(found) == {expected} and len(found["schema"][0]["details"]) == 1, (sql, found["schema"])
        mend(server, os.path.join(s.folder, "repair.sql"))
        assert not summary(verify(s, source, target, status=0)), sql


def chosen(s):
    """-t, --where, --sample, and what is refused."""
    server = s.server()
    source, target = copies(s, server, ["target"]), server.socket_conninfo("target")
    server.sql("DELETE FROM t WHERE id BETWEEN 201 AND 3200; UPDATE pair SET v = 0", "target")
    found = verify(s, source, target, "-T", "pair", "--show", "5", status=3)
    assert [(table["table"], table["missing"], len(table["rows"])) for table in found["tables"] if table["missing"]] == [("t", 3000, 5)], found
    assert verify(s, source, target, "-t", "t", "--where", "public.t=id > 3200", status=0)["tables"][0]["source_rows"] == 26800
    missing = verify(s, source, target, "-t", "t", "--sample", "10", status=3)["tables"][0]["missing"]
    assert 200 < missing < 400, missing
    s.pgconvoy("verify", source, target, "--where", "nothing=true").fails(2, "--where")
    s.pgconvoy("verify", source, "host=/nowhere dbname=x").fails(1, ["target", "cannot connect"])
    server.sql("CREATE ROLE nobody LOGIN")
    s.pgconvoy("verify", source, server.socket_conninfo("target", "nobody"), "--no-schema").fails(1, ["permission denied", "public."])


def mapped(s):
    """What `copy` has given other names, or left out, is compared by the same options."""
    server = s.server()
    source, target = copies(s, server, []), server.socket_conninfo("target")
    server.sql("CREATE SCHEMA far; CREATE TABLE far.away (id serial PRIMARY KEY, v text); INSERT INTO far.away (v) SELECT i::text FROM generate_series(1, 300) i", "source")
    server.create_database("target")
    options = ["--map-schema", "public=app", "--map-table", "public.child=kind", "--map-table", "far.away=app.near", "--map-column", "public.child.u=unit", "--columns", "public.t=id,s",
               "--map-column", "public.t.s=label"]
    kept = ["-T", "w", "-T", "public.no_columns"]
    s.pgconvoy("copy", source, target, *options, *kept, "--where", "public.t=id <= 29900").ok()
    ends = [source, target, *options, *kept, "--where", "public.t=id <= 29900"]
    found = verify(s, *ends, status=0)
    assert found["equal"] and {table["table"]: table["target_rows"] for table in found["tables"]} == {"t": 29900, "pair": 20000, "keyless": 10000, "parts": 500, "child": 100, "away": 300}, found
    server.sql("""DELETE FROM app.near WHERE id = 7; UPDATE app.t SET label = '' WHERE id = 200; INSERT INTO app.t (id) VALUES (99999); UPDATE app.kind SET unit = unit + 1000 WHERE unit = 9;
        DELETE FROM app.keyless WHERE ctid = (SELECT ctid FROM app.keyless WHERE a = 7 AND v IS NULL LIMIT 1); SELECT setval('app.q', 2); SELECT setval('app.away_id_seq', 3)""", "target")
    repair = os.path.join(s.folder, "repair.sql")
    found = verify(s, *ends, "--repair", "sql", "--repair-file", repair, status=3)
    assert summary(found) == {"missing away (id)=(7)", "changed t (id)=(200) s", "extra t (id)=(99999)", "changed child (id)=(9) u", "missing keyless (a, v)=(7, NULL) copies", "changed SEQUENCE public.q",
                              "changed SEQUENCE far.away_id_seq"}, summary(found)
    mend(server, repair)
    assert verify(s, *ends, status=0)["equal"]
    server.sql("ALTER TABLE app.kind DROP COLUMN unit", "target")
    assert summary(verify(s, *ends, status=3)) == {"missing COLUMN public.child.u"}
    s.pgconvoy("verify", source, "duckdb:x", *options).fails(2, "other names")


def published(s):
    """Of a native subscription what its publication lets through is compared: its tables, its rows, its columns."""
    server = s.server({"wal_receiver_status_interval": "1s"})
    source, target = copies(s, server, ["target"]), server.socket_conninfo("target")
    server.sql("CREATE PUBLICATION few FOR TABLE t (id, s) WHERE (id > 100), pair; CREATE PUBLICATION more FOR TABLE parts WITH (publish_via_partition_root = true)", "source")
    server.sql("TRUNCATE t, pair, parts CASCADE; DELETE FROM keyless", "target")
    for name in ("few", "more"):
        server.sql(f"SELECT pg_create_logical_replication_slot('{name}', 'pgoutput')", "source")
        server.sql(f"CREATE SUBSCRIPTION {name} CONNECTION 'host={server.folder} port={server.port} dbname=source user=postgres' PUBLICATION {name} WITH (create_slot = false)", "target")
    scenario.wait_for(lambda: server.sql("SELECT bool_and(srsubstate = 'r') AND count(*) = 3 FROM pg_subscription_rel", "target") == "t", 60, "all tables are ready")
    # not of the rows that are altered at the target below: a change that came after that would mend them
    load = s.load(server.pgbench("-T", "600", "-c", "1", database="source", script="\\set i random(101, 29998)\nUPDATE t SET s = s || 'x' WHERE id = :i;\nUPDATE parts SET v = md5(v) WHERE id = 1 + :i % 49;\n"))
    found = verify(s, source, target, "--no-schema", "--no-sequences", status=0)
    assert {table["table"]: table["source_rows"] for table in found["tables"]} == {"t": 29900, "pair": 20000, "parts": 500}, found
    server.sql("INSERT INTO t (id) VALUES (5); DELETE FROM t WHERE id = 29999; UPDATE part_1 SET v = '' WHERE id = 50", "target")
    server.sql("UPDATE pair SET v = 0 WHERE a = 'k7' AND b = '2026-01-08'", "target")
    load.stop()
    expected = {"extra t (id)=(5)", "missing t (id)=(29999)", "changed parts (id)=(50) v", "changed pair (a, b)=(k7, 2026-01-08) v"}
    assert summary(verify(s, source, target, "--no-schema", "--no-sequences", status=3)) == expected
    for name in ("few", "more"):
        server.sql(f"ALTER SUBSCRIPTION {name} DISABLE; ALTER SUBSCRIPTION {name} SET (slot_name = NONE); DROP SUBSCRIPTION {name}", "target")


def standby(s):
    """A standby is a source too: its rows are compared, without the unlogged ones, which it does not have."""
    primary = s.server()
    copies(s, primary, ["target"])
    primary.sql("CREATE UNLOGGED TABLE fast (id int PRIMARY KEY); INSERT INTO fast VALUES (1)", "source")
    there = s.standby(primary)
    source, target = there.socket_conninfo("source"), primary.socket_conninfo("target")
    plan = json.loads(s.pgconvoy("plan", source, "--sample", "0s", "--json", bare=True).ok().stdout)
    assert plan["is_standby"] and plan["rows"] > 60000, plan
    found = verify(s, source, target, "--no-schema", status=0)
    assert "fast" not in [table["table"] for table in found["tables"]], found
    primary.sql("DELETE FROM t WHERE id = 777", "target")
    assert summary(verify(s, source, target, "--no-schema", status=3)) == {"missing t (id)=(777)"}
    assert summary(verify(s, source, target, status=3)) == {"missing t (id)=(777)", "missing TABLE public.fast", "missing CONSTRAINT public.fast fast_pkey"}


def under_load(s):
    """While changes flow nothing is made up, and what really differs is found."""
    server = s.server()
    server.pgbench_init(2)
    server.sql("ALTER TABLE pgbench_history ADD id bigserial PRIMARY KEY; CREATE TABLE still AS SELECT i AS id, md5(i::text) AS v FROM generate_series(1, 20000) i; ALTER TABLE still ADD PRIMARY KEY (id)")
    target = s.target("postgres")
    sync = s.sync(server.uri(), target, "--name", "load")
    scenario.wait_for(lambda: "caught up" in sync.stderr or target.exists() and target.query("SELECT count(*) FROM pgconvoy.table_state WHERE state = 'live'") == "5", 120, "all tables are live")
    load = s.load(server.pgbench("-c", "3", "-T", "600"))
    ends = server.uri(), target.uri
    options = ["--name", "load", "--no-schema", "--no-sequences"]
    for _ in range(RUNS):
        found = verify(s, *ends, *options)
        assert found["equal"] and not [t for t in found["tables"] if t["unsettled"]], found
    target.query("UPDATE still SET v = v || ' ' WHERE id = 17")
    assert summary(verify(s, *ends, *options, status=3)) == {"changed still (id)=(17) v"}
    load.stop()
    sync.stop()


ENGINE = r"""
CREATE TABLE t (id int PRIMARY KEY, b bytea, f float8, s text, at timestamptz, n numeric(12,3), j jsonb, a int[] NOT NULL DEFAULT '{}', u uuid, day date, r int4range);
INSERT INTO t (id, b, f, s, at, n, j, a, u, day, r) SELECT i, decode(md5(i::text), 'hex'), i / 3.0, 'name ' || i, '2026-01-01 12:00+00'::timestamptz + i * interval '1 s', i * 1.5, '{"a": [1, null]}',
    ARRAY[i, 2], gen_random_uuid(), date '2026-01-01' + i % 300, '[1,5)' FROM generate_series(1, 1500) i;
INSERT INTO t (id, f, s) VALUES (4001, 'NaN', ''), (4002, NULL, NULL), (4003, '-0', E'tab\t, line\n, \\N and "quote"'), (4004, 'Infinity', 'NULL'), (4005, 1, '\N');
CREATE TABLE pair (a text, b date, v int, PRIMARY KEY (a, b)); INSERT INTO pair SELECT 'k' || i % 50, date '2026-01-01' + i, i FROM generate_series(1, 500) i;
CREATE TABLE keyless (a int, v text); ALTER TABLE keyless REPLICA IDENTITY FULL; INSERT INTO keyless SELECT i % 10, CASE WHEN i % 7 > 0 THEN 'v' || i % 5 END FROM generate_series(1, 300) i;
CREATE TABLE no_columns (); INSERT INTO no_columns DEFAULT VALUES;
CREATE SCHEMA other; CREATE TABLE other.t (id int PRIMARY KEY, v text); INSERT INTO other.t SELECT i, i FROM generate_series(1, 100) i;
"""
# What is done to the source after all has arrived, and what is found then.
SINCE = {
    "DELETE FROM t WHERE id = 1499": "extra t (id)=(1499)", "INSERT INTO t (id) VALUES (99999)": "missing t (id)=(99999)",
    "UPDATE t SET f = NULL WHERE id = 4001": "changed t (id)=(4001) f", "UPDATE t SET f = 'NaN' WHERE id = 4002": "changed t (id)=(4002) f",
    "UPDATE t SET s = s || ' ' WHERE id = 7": "changed t (id)=(7) s", "UPDATE t SET s = NULL WHERE id = 4004": "changed t (id)=(4004) s",
    "UPDATE t SET b = set_bit(b, 5, 1 - get_bit(b, 5)) WHERE id = 5": "changed t (id)=(5) b", "UPDATE t SET at = at + interval '1 us' WHERE id = 9": "changed t (id)=(9) at",
    "UPDATE t SET n = n + 0.001, j = '{\"a\": [1, 2]}' WHERE id = 11": "changed t (id)=(11) n j", "UPDATE t SET a = '{}' WHERE id = 12": "changed t (id)=(12) a",
    "UPDATE t SET day = NULL, r = 'empty' WHERE id = 13": "changed t (id)=(13) day r", "UPDATE t SET s = NULL WHERE id = 4005": "changed t (id)=(4005) s",
    "UPDATE pair SET v = -v WHERE a = 'k7' AND b = '2026-01-08'": "changed pair (a, b)=(k7, 2026-01-08) v",
    "INSERT INTO keyless VALUES (5, 'v5')": "missing keyless (a, v)=(5, v5)",
    "DELETE FROM keyless WHERE ctid = (SELECT ctid FROM keyless WHERE a = 7 AND v IS NULL LIMIT 1)": "extra keyless (a, v)=(7, NULL)",
    "UPDATE other.t SET v = 'NULL' WHERE id = 8": "changed t (id)=(8) v",
}


def engine(s, target, columnless=True, id="id"):
    """A target of another engine: nothing is made up after changes of all kinds have arrived, and whatever the source has got since is found. id: what it calls such a column."""
    server = s.server()
    server.create_database("source", ENGINE if columnless else ENGINE.replace("CREATE TABLE no_columns (); INSERT INTO no_columns DEFAULT VALUES;", ""))
    uri = server.uri("source")
    ends = uri, target.uri
    s.sync_until_caught_up(uri, target, "--name", "shop")
    server.sql("""UPDATE t SET s = 'again' WHERE id % 100 = 3; DELETE FROM t WHERE id = 20; UPDATE t SET id = 30000 WHERE id = 30; UPDATE keyless SET v = 'w' WHERE a = 3; DELETE FROM keyless WHERE a = 4;
        INSERT INTO t (id) VALUES (21000); DELETE FROM t WHERE id = 21000""", "source")
    s.sync_until_caught_up(uri, target, "--name", "shop")
    found = verify(s, *ends, "--name", "shop", status=0)
    assert found["equal"] and {(table["schema"], table["table"]): table["target_rows"] for table in found["tables"] if table["table"] != "no_columns"} == {
        ("public", "t"): 1504, ("public", "pair"): 500, ("public", "keyless"): 270, ("other", "t"): 100}, found
    assert [table["key"] for table in found["tables"] if table["table"] == "pair"] == [["a", "b"]], found
    for sql in SINCE:
        server.sql(sql, "source")
    if columnless:
        server.sql("INSERT INTO no_columns DEFAULT VALUES", "source")
    found = verify(s, *ends, "--name", "shop", status=3)
    expected = set(SINCE.values()) | ({"missing no_columns ()=()"} if columnless else set())
    assert summary(found) == expected, f"missed {expected - summary(found)}, made up {summary(found) - expected}"
    nan = [row["details"] for table in found["tables"] for row in table["rows"] if row["key"] == "(id)=(4001)"]
    assert nan[0][0]["source"] is None and nan[0][0]["target"].lower() == "nan", nan
    # some tables, some rows
    options = ["--name", "shop", "-t", "public.t"]
    found = verify(s, *ends, *options, "--where", f"public.t={id} > 13 AND {id} < 1400", status=0)
    assert [(table["table"], table["source_rows"], table["target_rows"]) for table in found["tables"]] == [("t", 1384, 1384)], found
    assert summary(verify(s, *ends, *options, "--where", f"public.t={id} < 8", status=3)) == {"changed t (id)=(5) b", "changed t (id)=(7) s"}
    some = verify(s, *ends, *options, "--sample", "20")["tables"][0]
    assert 150 < some["source_rows"] < 450 and some["changed"] < 10, some
    assert not [name for name in os.listdir(s.state) if name.startswith("verify")], os.listdir(s.state)
    s.pgconvoy("verify", *ends, "--repair", "sql").fails(2, "--repair")
    return server


def duckdb(s):
    """A DuckDB file."""
    target = s.target("duckdb")
    server = engine(s, target, False)
    server.sql("CREATE TABLE late (id int)", "source")
    found = verify(s, server.uri("source"), target.uri, "-t", "late", status=3)
    assert [table["at_target"] for table in found["tables"]] == [False], found
    s.pgconvoy("verify", server.uri("source"), "duckdb:" + s.folder + "/nothing").fails(1, ["nothing", "not there"])
    s.pgconvoy("verify", server.uri("source"), target.uri, "--state-dir", target.path).fails(1, "cannot make the folder")
    # while the scratch copy is made it can be stopped, and leaves nothing
    lock = s.session(server, "BEGIN; LOCK TABLE pair;", "source")
    run = s.pgconvoy("verify", server.uri("source"), target.uri, "--name", "shop")
    scenario.wait_for(lambda: server.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") != "0", 60, "the copy waits")
    assert run.stop() == 1 and "stopped before everything was compared" in run.stderr, run.error_tail()
    assert not [name for name in os.listdir(s.state) if name.startswith("verify")], os.listdir(s.state)
    s.end_session(lock)


def clickhouse(s):
    """ClickHouse: the current rows. Of a target that a pipeline writes to at that time, nothing is made up either."""
    if not clickhouse_servers.fetch("chdb"):
        return
    target = s.target("clickhouse")
    server = engine(s, target)
    ends = server.uri("source"), target.uri
    sync = s.sync(ends[0], target, "--name", "shop")
    server.sql("INSERT INTO t (id, s) SELECT i, 'while it runs' FROM generate_series(50000, 52000) i; DELETE FROM t WHERE id BETWEEN 100 AND 200", "source")
    scenario.wait_for(lambda: server.sql("SELECT bool_or(active) FROM pg_replication_slots") == "t", 60, "the slot is in use")
    verify(s, *ends, "--name", "shop", status=0)
    sync.stop()
    # what somebody has done in the target
    target.query("ALTER TABLE target.pair ADD COLUMN more Int32")
    target.query("CREATE OR REPLACE VIEW target.pair_current AS SELECT a, b, v, more FROM target.pair FINAL WHERE _deleted = 0")
    target.query("INSERT INTO target.t (id, s, _version) SELECT id, 'theirs', _version + 1 FROM target.t WHERE id = 1000")
    target.query("DROP TABLE target.other_t_current")
    found = verify(s, *ends, "--name", "shop", status=3)
    lines = {f"{item['kind']} {item['object']}" for item in found["schema"]} | {f"{row['kind']} {row['key']}" for table in found["tables"] for row in table["rows"]}
    assert lines == {"extra COLUMN public.pair.more", "changed (id)=(1000)"} and [table["schema"] for table in found["tables"] if not table["at_target"]] == ["other"], found
    assert "pgconvoy_verify" not in target.query("SELECT arrayStringConcat(groupArray(name), ' ') FROM system.databases")
    s.pgconvoy("verify", ends[0], target.uri + "&mode=history").fails(2, "mode=history")
    s.pgconvoy("verify", ends[0], target.server.uri("nowhere")).fails(1, "database nowhere is not there")


def bigquery(s):
    """BigQuery's stand-in."""
    target = s.target("bigquery")
    server = engine(s, target)
    assert list(target.service.datasets) == [target.dataset], target.service.datasets
    s.pgconvoy("verify", server.uri("source"), target.uri.replace(f"/{target.dataset}?", "/nothing?")).fails(1, "nothing is not there")
    target.service.denied = {"bigquery.datasets.create"}
    s.pgconvoy("verify", server.uri("source"), target.uri).fails(1, ["creating dataset pgconvoy_verify_", "give the account bigquery.datasets.create"])
    target.service.denied = {"bigquery.datasets.delete"}
    run = s.pgconvoy("verify", server.uri("source"), target.uri, "--name", "shop", "-t", "pair")
    assert run.wait(120) == 3 and "its tables expire within a day" in run.stderr, run.error_tail()
    left = [of for of in target.service.datasets.values() if of["datasetReference"]["datasetId"] != target.dataset]
    assert [of["defaultTableExpirationMs"] for of in left] == ["86400000"], left


def snowflake(s):
    """Snowflake's stand-in."""
    target = s.target("snowflake")
    service = target.service
    server = engine(s, target, id='"id"')
    ends = server.uri("source"), target.uri
    there = service.engine.databases[service.database]
    assert list(there) == [target.schema], there
    # what the service alone can do: the null of JSON, a NUMBER that is wider, columns of its own and of other types, a value that differs in its last digit
    server.sql("UPDATE t SET j = 'null' WHERE id = 4003", "source")
    target.execute('ALTER TABLE "t" ALTER COLUMN "n" SET DATA TYPE NUMBER(20, 3)')
    target.execute('ALTER TABLE "pair" ADD COLUMN "more" VARCHAR')
    target.execute('ALTER TABLE "pair" DROP COLUMN "v"')
    target.execute('ALTER TABLE "pair" ADD COLUMN "v" VARCHAR')
    target.execute('UPDATE "pair" SET "v" = \'1\' WHERE "a" = \'k1\' AND "b" = TO_DATE(\'2026-01-02\', \'AUTO\')')
    target.execute('UPDATE "t" SET "at" = TO_TIMESTAMP_TZ(\'2026-01-01 12:00:10.000001+00:00\', \'AUTO\') WHERE "id" = 10')
    found = verify(s, *ends, "--name", "shop", "-t", "public.t", "-t", "pair", "--show", "1000", status=3)
    columns = {(item["kind"], item["object"]): item["details"][0] for item in found["schema"]}
    assert set(columns) == {("extra", "COLUMN public.pair.more"), ("changed", "COLUMN public.pair.v")}, columns
    assert columns["changed", "COLUMN public.pair.v"] == {"name": "type", "source": "NUMBER(38, 0)", "target": "TEXT"}, columns
    rows = {table["table"]: {row["key"]: row["details"] for row in table["rows"]} for table in found["tables"]}
    assert len(rows["pair"]) == 499 and "(a, b)=(k1, 2026-01-02)" not in rows["pair"], len(rows["pair"])
    assert rows["t"]["(id)=(10)"] == [{"name": "at", "source": "2026-01-01 12:00:10.000000+00:00", "target": "2026-01-01 12:00:10.000001+00:00"}], rows["t"]["(id)=(10)"]
    assert set(rows["t"]) == {"(id)=(10)", "(id)=(4003)"} | {line.split()[2] for sql, line in SINCE.items() if " t (id)" in line and "other.t" not in sql}, rows["t"]
    target.execute('DROP TABLE "other_t"')
    found = verify(s, *ends, "--name", "shop", "-n", "other", status=3)
    assert [table["at_target"] for table in found["tables"]] == [False], found
    # what is refused
    s.pgconvoy("verify", ends[0], target.uri.replace(f"/{target.schema}?", "/NOTHING?")).fails(1, "schema SHOP.NOTHING is not there")
    s.pgconvoy("verify", ends[0], target.uri + "&mode=history").fails(2, "mode=history")
    service.denied = {"CREATE SCHEMA"}
    s.pgconvoy("verify", *ends).fails(1, ["creating a scratch schema", "Insufficient privileges", "grant the role CREATE SCHEMA"])
    service.denied = {"DROP SCHEMA"}
    run = s.pgconvoy("verify", *ends, "--name", "shop", "-t", "pair")
    assert run.wait(120) == 3 and "schema SHOP.PGCONVOY_VERIFY_" in run.stderr and "is left" in run.stderr, run.error_tail()
    assert [name.startswith("PGCONVOY_VERIFY_") for name in there if name != target.schema] == [True], list(there)


def resumed(s):
    """What an interrupted run has found equal is not compared again."""
    server = s.server()
    slow = """CREATE TABLE flag (id int PRIMARY KEY); INSERT INTO flag VALUES (1);
        CREATE FUNCTION slow() RETURNS bool LANGUAGE sql VOLATILE AS 'SELECT CASE WHEN EXISTS (SELECT FROM public.flag) THEN pg_sleep(0.05) IS NOT NULL ELSE true END';"""
    source, target = copies(s, server, ["target"], SCHEMA + slow), server.socket_conninfo("target")
    options = ["--no-schema", "--where", "public.pair=public.slow()"]
    run = s.pgconvoy("verify", source, target, "-j", "1", *options)
    finished = lambda: [line for name in os.listdir(s.state) if name.startswith("verify-") for line in open(os.path.join(s.state, name))] if os.path.exists(s.state) else []
    scenario.wait_for(lambda: any(line.startswith("public\tt\t30000") for line in finished()), 60, "t is finished")
    assert run.stop() == 1 and "stopped before everything was compared" in run.stderr, run.error_tail()
    server.sql("DELETE FROM flag", "source")
    server.sql("DELETE FROM flag; DELETE FROM t WHERE id = 29999; UPDATE pair SET v = 0 WHERE v = 9", "target")
    run = s.pgconvoy("verify", source, target, *options)
    assert run.wait(60) == 3 and "going on after an interrupted run" in run.stderr and "(a, b)=(k9" in run.stdout and "29999" not in run.stdout, run.stdout
    assert finished() == []
    again = s.pgconvoy("verify", source, target, *options)
    assert again.wait(60) == 3 and "29999" in again.stdout


CASES = {"resumed": resumed, "under_load": under_load, "clickhouse": clickhouse, "bigquery": bigquery, "snowflake": snowflake, "duckdb": duckdb, "differs": differs, "objects": objects, "spelled": spelled, "chosen": chosen, "mapped": mapped, "published": published, "standby": standby}
LONG = ["standby", "objects"]  # by name, or in make check-full
FULL = os.environ.get("SCENARIO_FULL")
scenario.run(lambda s: CASES[s.case](s), [case for case in CASES if FULL or case not in LONG or case in sys.argv[1:]])
