#!/usr/bin/env python3
"""What other services' manuals list as not supported: each line is a function here that says what holds, over one pipeline from a database whose name
has hyphens. Beside them: failover of the source is in a_failover_is_followed, a major upgrade of it by pg_upgrade in a_major_upgrade_loses_nothing, a cutover that was given up and its slot in
a_cutover_loses_no_write.

LEFT_OUT_LONG=1 adds a change of more than 256 MB, and 5,001 tables of which a hundred are renamed while changes flow.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

DATABASE, TARGET = "my-shop-2026", "the-copy-of-it"
TABLES = """
CREATE TABLE bits (id int PRIMARY KEY, one bit, three bit(3), few bit varying(20), free bit varying, many bit(3)[]);
CREATE TABLE people (id int PRIMARY KEY, email text, active bool NOT NULL DEFAULT true, place int);
CREATE UNIQUE INDEX people_email ON people (lower(email)) WHERE active;
CREATE UNIQUE INDEX people_place ON people (place) WHERE place > 0;
CREATE SCHEMA base; CREATE SCHEMA "Other one";
CREATE TABLE base.vehicle (id int PRIMARY KEY, name text);
CREATE TABLE "Other one".car (doors int DEFAULT 4, PRIMARY KEY (id)) INHERITS (base.vehicle);
CREATE TABLE sales (id int, region text, amount numeric DEFAULT 1.5, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE sales_north PARTITION OF sales FOR VALUES IN ('north');
CREATE TABLE base.sales_rest PARTITION OF sales DEFAULT;
CREATE TABLE keyless (a int, b text); ALTER TABLE keyless REPLICA IDENTITY FULL;
CREATE TABLE nameless (a int, b text);
CREATE TABLE gone_under_it (id int PRIMARY KEY); INSERT INTO gone_under_it VALUES (1);
CREATE SEQUENCE numbers INCREMENT 5 START 100;
CREATE TABLE checked (id bigserial PRIMARY KEY, n int NOT NULL DEFAULT nextval('numbers'), CONSTRAINT positive CHECK (n > 0), v text COLLATE "C" DEFAULT 'it''s', UNIQUE (n, v));
"""
FILL = """
INSERT INTO bits SELECT i, (i % 2)::bit, (i % 8)::bit(3), repeat('10', i % 5)::varbit, (repeat('1', i) || '0')::varbit, ARRAY[(i % 8)::bit(3), NULL] FROM generate_series({0} + 1, {0} + 40) i;
INSERT INTO people SELECT i, 'Somebody' || i || '@Example.org', i % 3 > 0, i % 2 * i FROM generate_series({0} + 1, {0} + 40) i;
INSERT INTO base.vehicle SELECT i, 'vehicle ' || i FROM generate_series({0} + 1, {0} + 20) i;
INSERT INTO "Other one".car SELECT i + 100000, 'car ' || i FROM generate_series({0} + 1, {0} + 20) i;
INSERT INTO sales SELECT i, (ARRAY['north', 'south'])[1 + i % 2], i FROM generate_series({0} + 1, {0} + 40) i;
INSERT INTO keyless SELECT i % 7, 'row ' || i % 5 FROM generate_series({0} + 1, {0} + 30) i;
INSERT INTO nameless SELECT i % 7, 'row ' || i FROM generate_series({0} + 1, {0} + 30) i;
INSERT INTO checked (v) SELECT 'v' || i FROM generate_series({0} + 1, {0} + 20) i;
"""
CHANGES = """
UPDATE bits SET three = ~three, few = few || B'1', many = ARRAY[three] WHERE id % 3 = 0; DELETE FROM bits WHERE id % 7 = 0;
UPDATE people SET email = upper(email) WHERE id % 2 = 0;
BEGIN; UPDATE people SET active = false, place = 0 WHERE id = 1; INSERT INTO people VALUES (5001, 'SOMEBODY1@example.org', true, 1); COMMIT;
UPDATE base.vehicle SET name = name || '!' WHERE id % 2 = 0; DELETE FROM base.vehicle WHERE id % 5 = 0;
UPDATE sales SET region = 'south', amount = -1 WHERE id % 4 = 0 AND region = 'north'; DELETE FROM sales WHERE id % 9 = 0;
UPDATE keyless SET b = 'changed' WHERE a = 3; DELETE FROM keyless WHERE a = 5;
UPDATE checked SET v = v || ' and more' WHERE id % 2 = 0;
"""
# Commands from functions, from SQL that is put together there, and between rows of one transaction; each has rows that come before and after it.
FUNCTIONS = """
CREATE TABLE called (id int PRIMARY KEY, v text); INSERT INTO called VALUES (1, 'before');
CREATE FUNCTION base.widen(name text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO called VALUES (2, name);
    EXECUTE format('ALTER TABLE called ADD %I int DEFAULT 7', name);
    INSERT INTO called VALUES (3, name, 8);
    ALTER TABLE called ALTER v TYPE varchar(40) USING upper(v);
END $$;
CREATE FUNCTION base.made() RETURNS bigint LANGUAGE sql VOLATILE AS $$ SELECT base.widen('wide one'); SELECT 1::bigint $$;
BEGIN; UPDATE called SET v = 'in between'; SELECT base.made(); UPDATE called SET "wide one" = 9 WHERE id = 1; CREATE INDEX called_v ON called (v); INSERT INTO called VALUES (4, 'last', 10); COMMIT;
DO $$ BEGIN FOR i IN 1..3 LOOP EXECUTE format('CREATE TABLE looped_%s (id int PRIMARY KEY); INSERT INTO looped_%s VALUES (%s)', i, i, i); END LOOP; DROP TABLE looped_2; END $$;
BEGIN; DELETE FROM called; SELECT base.widen('never'); ROLLBACK;
"""
REPLICA = """
CREATE TABLE replicated (id int PRIMARY KEY, v text); INSERT INTO replicated VALUES (1, 'before');
SET session_replication_role = replica; ALTER TABLE replicated ADD n int DEFAULT 5, ALTER v SET NOT NULL; INSERT INTO replicated VALUES (2, 'under it', 6); CREATE TABLE replicated_too (id int PRIMARY KEY); INSERT INTO replicated_too VALUES (1);
DROP TABLE gone_under_it; RESET session_replication_role; INSERT INTO replicated VALUES (3, 'after', 7);
"""
COLUMNS = "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute WHERE attrelid = '{}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
RELATIONS = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
HELPERS = """SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = 'pgconvoy') + (SELECT count(*) FROM pg_event_trigger) + (SELECT count(*) FROM pg_publication)
    + (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace) + (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_replication_origin)"""


class Ends:
    def __init__(self, s):
        self.s, self.server = s, s.server()
        self.server.create_database(DATABASE, TABLES + FILL.format(0))
        self.server.create_database(TARGET)
        self.source, self.target = self.server.socket_conninfo(f"'{DATABASE}'"), self.server.socket_conninfo(f"'{TARGET}'")

    def sync(self, *options):
        return self.s.pgconvoy("sync", self.source, self.target, "--name", "left_out", *options)

    def same(self, query):
        here, there = self.server.copy_out(query, DATABASE), self.server.copy_out(query, TARGET)
        assert here == there and here != [""], f"{query}: {here[:5]} … is not {there[:5]} …"

    def definitions(self, catalog_query):
        self.same(catalog_query)


def bit_columns(e):
    e.same("SELECT * FROM bits ORDER BY id")
    e.same("SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'bits'::regclass AND attnum > 0 ORDER BY attnum")


def expression_and_partial_unique_indexes(e):
    e.same("SELECT * FROM people ORDER BY id")
    e.same("SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'people'::regclass ORDER BY 1")


def inheritance_across_schemas(e):
    e.same("SELECT tableoid::regclass::text, id, name FROM base.vehicle ORDER BY id")
    e.same('SELECT * FROM "Other one".car ORDER BY id')
    e.same("SELECT inhrelid::regclass::text, inhparent::regclass::text FROM pg_inherits ORDER BY 1, 2")


def partitions_by_parent(e):
    e.same("SELECT tableoid::regclass::text, * FROM sales ORDER BY id, region")


def partitions_by_child(e):
    """Each partition as a table of its own, in its own schema."""
    e.server.create_database("leaves")
    e.s.pgconvoy("sync", e.source, e.server.uri("leaves"), "--name", "leaves", "--partitions", "leaves", "-t", "public.sales", "-t", "public.sales_north", "-t", "base.sales_rest", "--until", "caught-up").ok()
    e.server.sql("INSERT INTO sales VALUES (777, 'north'), (777, 'east'); UPDATE sales SET region = 'west' WHERE id = 777 AND region = 'north'", DATABASE)
    e.s.pgconvoy("sync", e.source, e.server.uri("leaves"), "--name", "leaves", "--partitions", "leaves", "-t", "public.sales", "-t", "public.sales_north", "-t", "base.sales_rest", "--until", "caught-up").ok()
    for leaf in ("sales_north", "base.sales_rest"):
        assert e.server.copy_out(f"SELECT * FROM {leaf} ORDER BY 1, 2", DATABASE) == e.server.copy_out(f"SELECT * FROM {leaf} ORDER BY 1, 2", "leaves")
    e.s.pgconvoy("drop", e.source, e.server.uri("leaves"), "--name", "leaves").ok()


def ddl_in_functions_and_through_spi_mixed_with_dml(e):
    e.same("SELECT * FROM called ORDER BY id")
    e.same(COLUMNS.format("called"))
    e.same("SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'called'::regclass ORDER BY 1")
    e.same("SELECT (SELECT count(*) FROM looped_1), (SELECT max(id) FROM looped_3), to_regclass('looped_2') IS NULL")


def ddl_under_session_replication_role_replica(e):
    """Which ordinary event triggers do not see."""
    e.same("SELECT * FROM replicated ORDER BY id")
    e.same(COLUMNS.format("replicated"))
    e.same("SELECT (SELECT count(*) FROM replicated_too), to_regclass('gone_under_it') IS NULL")


def database_names_with_hyphens(e):
    assert "-" in DATABASE and "-" in TARGET
    e.same("SELECT count(*) FROM people")
    status = e.s.pgconvoy("status", "left_out").ok()
    assert DATABASE in status.stdout and TARGET in status.stdout, status.stdout


def tables_without_a_primary_key(e):
    e.same("SELECT * FROM keyless ORDER BY 1, 2")
    e.same("SELECT * FROM nameless ORDER BY 1, 2")


def metadata_is_verified(e):
    """Sequences, defaults and constraints, not only rows."""
    e.same("SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'checked'::regclass ORDER BY 1")
    e.same("SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'checked'::regclass ORDER BY adnum")
    e.same("SELECT increment_by, start_value FROM pg_sequences WHERE sequencename = 'numbers'")
    verify = e.s.pgconvoy("verify", e.source, e.target, "--name", "left_out")
    assert verify.wait() == 0, verify.stdout + verify.error_tail()
    e.server.sql("ALTER TABLE checked ALTER v DROP DEFAULT, DROP CONSTRAINT positive; ALTER SEQUENCE numbers INCREMENT 7; SELECT setval('checked_id_seq', 1)", TARGET)
    verify = e.s.pgconvoy("verify", e.source, e.target, "--name", "left_out", "--restart")
    assert verify.wait() == 3, verify.stdout + verify.error_tail()
    for word in ("positive", "numbers", "checked_id_seq", "'it''s'"):
        assert word in verify.stdout, f"{word} is not in: {verify.stdout}"


def no_helper_tables_in_public(e):
    wanted = e.server.sql(RELATIONS, DATABASE)
    assert "pgconvoy" not in wanted and wanted == e.server.sql(RELATIONS, TARGET), (wanted, e.server.sql(RELATIONS, TARGET))


def the_slot_is_cleaned_up(e):
    """By one command, with all else that a pipeline makes; one that is refused makes none in the first place."""
    assert "pgconvoy_left_out" in e.server.slots()
    e.s.pgconvoy("sync", e.source, e.server.uri("nowhere"), "--name", "refused").fails(1, "nowhere")
    assert "pgconvoy_refused" not in e.server.slots()
    e.s.pgconvoy("drop", e.source, e.target, "--name", "left_out").ok()
    assert e.server.slots() == {}, e.server.slots()
    for database in (DATABASE, TARGET):
        assert e.server.sql(HELPERS, database) == "0", (database, e.server.sql(HELPERS, database))


def lines(s):
    e = Ends(s)
    run = e.sync()
    scenario.wait_for(lambda: "streaming changes from" in run.stderr or not run.running(), 60, "it streams")
    e.server.sql(FILL.format(1000) + CHANGES + FUNCTIONS + REPLICA, DATABASE)
    assert run.stop() == 0, run.error_tail()
    e.sync("--until", "caught-up").ok()
    for line in (bit_columns, expression_and_partial_unique_indexes, ddl_in_functions_and_through_spi_mixed_with_dml, ddl_under_session_replication_role_replica, inheritance_across_schemas,
                 partitions_by_parent, partitions_by_child, database_names_with_hyphens, tables_without_a_primary_key,
                 metadata_is_verified, no_helper_tables_in_public, the_slot_is_cleaned_up):
        if line is metadata_is_verified:
            e.sync("--until", "caught-up").ok()
        line(e)
        print("holds:", line.__name__)


def a_single_change_over_256_mb(s):
    source = s.server()
    source.sql("CREATE TABLE t (id int PRIMARY KEY, a text, b text); ALTER TABLE t ALTER a SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL; INSERT INTO t VALUES (1, 'a', 'b')")
    target = s.target("postgres")
    s.sync_until_caught_up(source.uri(), target, "--name", "large")
    source.sql("UPDATE t SET a = repeat('x', 150000000), b = repeat('y', 150000000) WHERE id = 1")
    s.sync_until_caught_up(source.uri(), target, "--name", "large", seconds=600)
    query = "SELECT id, length(a), length(b), md5(a), md5(b) FROM t"
    assert source.sql(query) == target.query(query)


def more_than_5000_tables_with_renames(s):
    source = s.server({"max_locks_per_transaction": 1000})
    source.sql("DO $$ BEGIN FOR i IN 1..5001 LOOP EXECUTE format('CREATE TABLE t_%s (id int PRIMARY KEY, v text)', i); EXECUTE format('INSERT INTO t_%s VALUES (1, ''one'')', i); END LOOP; END $$")
    target = s.target("postgres")
    run = s.sync(source.uri(), target, "--name", "many")
    scenario.wait_for(lambda: "streaming changes from" in run.stderr or not run.running(), 900, "it streams")
    source.sql("DO $$ BEGIN FOR i IN 1..100 LOOP EXECUTE format('INSERT INTO t_%s VALUES (2, ''before'')', i * 50); EXECUTE format('ALTER TABLE t_%s RENAME TO renamed_%s', i * 50, i); "
               "EXECUTE format('INSERT INTO renamed_%s VALUES (3, ''after'')', i); END LOOP; END $$")
    source.sql("INSERT INTO t_1 VALUES (4, 'last')")
    scenario.wait_for(lambda: target.query("SELECT count(*) FROM t_1") == "2" or not run.running(), 600, "the last row is there")
    assert run.stop() == 0, run.error_tail()
    count = "SELECT count(*), count(*) FILTER (WHERE relname LIKE 'renamed%') FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    assert source.sql(count) == target.query(count) == "5001|100", target.query(count)
    rows = "SELECT sum((xpath('/row/c/text()', query_to_xml('SELECT count(*) AS c FROM ' || oid::regclass, false, true, '')))[1]::text::int) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    assert source.sql(rows) == target.query(rows) == str(5001 + 201)


LONG = {"large_change": a_single_change_over_256_mb, "many_tables": more_than_5000_tables_with_renames}
CASES = {"lines": lines, **(LONG if "LEFT_OUT_LONG" in os.environ else {})}
scenario.run(lambda s: CASES[s.case](s), cases=list(CASES))
