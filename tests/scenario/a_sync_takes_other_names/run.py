#!/usr/bin/env python3
"""`sync` with other names for schemas, tables and columns, with some columns and some rows: in the copy and in the stream, over restarts, and tables that join later."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = """
CREATE SCHEMA shop; CREATE SCHEMA "Other";
CREATE TABLE shop.customer (id serial PRIMARY KEY, name text NOT NULL, secret text DEFAULT 'secret', city text);
CREATE INDEX ON shop.customer (city); CREATE INDEX ON shop.customer (secret);
CREATE TABLE shop.sold (id int PRIMARY KEY, customer int REFERENCES shop.customer, price numeric(10,2));
CREATE TABLE "Other"."Table" ("Id" int PRIMARY KEY, v text);
INSERT INTO shop.customer (name, city) SELECT 'name ' || i, 'city ' || i % 7 FROM generate_series(1, 200) i;
INSERT INTO shop.sold SELECT i, i, i FROM generate_series(1, 200) i;
INSERT INTO "Other"."Table" SELECT i, i FROM generate_series(1, 10) i;
"""
CHANGES = """
UPDATE shop.customer SET name = name || '!', secret = 'changed' WHERE id % 3 = 0;
UPDATE shop.customer SET secret = 'this alone' WHERE id = 4;
UPDATE shop.sold SET price = price + 1 WHERE id % 2 = 0; UPDATE shop.sold SET id = 1000 WHERE id = 50; DELETE FROM shop.sold WHERE id = 99; UPDATE shop.sold SET id = 99 WHERE id = 200;
DELETE FROM shop.sold WHERE id IN (7, 150); INSERT INTO shop.sold VALUES (300, 1, 1);
INSERT INTO shop.customer (name, city) VALUES ('later', 'far'); UPDATE "Other"."Table" SET v = 'new', "Id" = 77 WHERE "Id" = 3;
INSERT INTO "Other"."Table" VALUES (78, 'after');
"""
OPTIONS = ["--map-schema", "shop=store", "--map-table", "shop.customer=client", "--map-column", "shop.customer.name=label", "--columns", "shop.customer=id,name,city",
           "--where", "shop.sold=id < 100", "--map-table", '"Other"."Table"=store.plain', "--map-column", '"Other"."Table"."Id"=id']
# what the target has under other names: the same query at both ends, with each one's names
SAME = [("SELECT id, name, city FROM shop.customer", "SELECT id, label, city FROM store.client"), ("SELECT id, customer, price FROM shop.sold WHERE id < 100", "SELECT id, customer, price FROM store.sold"),
        ('SELECT * FROM "Other"."Table"', "SELECT * FROM store.plain")]


def same(source, target):
    for here, there in SAME:
        ours, theirs = source.sql(here).replace("|", "\t").split("\n"), target.query(there).replace("|", "\t").replace("\\N", "").split("\n")
        assert sorted(ours) == sorted(theirs), (here, sorted(set(ours) ^ set(theirs))[:6])


TYPES = """CREATE SCHEMA shop; CREATE TYPE shop.e AS ENUM ('x', 'y'); CREATE DOMAIN shop.d AS int CHECK (VALUE > 0); CREATE TYPE shop.c AS (a int, e shop.e);
CREATE TABLE shop.t (id int PRIMARY KEY, e shop.e, ee shop.e[], d shop.d, c shop.c); INSERT INTO shop.t SELECT g, 'x', '{x,y}', g, (g, 'y')::shop.c FROM generate_series(1, 100) g"""
STEPS = ["INSERT INTO shop.t VALUES (200, 'y', '{y}', 5, (1, 'x')); UPDATE shop.t SET e = 'y' WHERE id = 3; DELETE FROM shop.t WHERE id = 4",
         "ALTER TABLE shop.t ADD COLUMN r int DEFAULT (random() * 100)::int; UPDATE shop.t SET e = 'x', r = 1 WHERE id = 3",
         "ALTER TYPE shop.e ADD VALUE 'z' BEFORE 'x'; UPDATE shop.t SET e = 'z' WHERE id = 5; UPDATE shop.t SET ee = '{z}', c = (1, 'z') WHERE id = 6",
         "ALTER TYPE shop.e RENAME VALUE 'y' TO 'why'", "UPDATE shop.t SET e = 'why' WHERE id = 8",
         "UPDATE shop.t SET e = 'x' WHERE id = 9; ALTER TYPE shop.e RENAME VALUE 'x' TO 'ex'; UPDATE shop.t SET e = 'ex' WHERE id = 10"]


def types_move_along(s):
    """A schema's types have the target's schema, too: rows are written into them, labels added there, and no second type is made under the source's name."""
    source, target = s.server(), s.target("postgres")
    source.sql(TYPES)
    for step in [None] + STEPS:
        for sql in step.split("; ") if step else []:
            source.sql(sql)
        s.sync_until_caught_up(source.uri(), target, "--name", "types", "--map-schema", "shop=store")
        ours, theirs = (query("SELECT count(*), md5(string_agg(t::text, '|' ORDER BY id)) FROM %s.t t" % name).replace("\t", "|").strip() for query, name in
                        ((source.sql, "shop"), (target.query, "store")))
        assert ours == theirs, (step, ours, theirs)
    assert target.query("SELECT count(*) FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE nspname = 'shop'") == "0", "types under the source's name"


def main(s):
    if s.case == "types":
        return types_move_along(s)
    source = s.server()
    source.sql(TABLES)
    target = s.target()
    refused = [["--where", "shop.sold=price > 3"], ["--columns", "shop.sold=customer"], ["--where", "shop.sold=nothing > 3"], ["--map-table", "shop.none=one"]]
    for options in refused:
        s.sync(source.uri(), target, "--name", "refused", *options).fails(1, [options[1].split("=")[0].split(".")[1]])
        assert source.slots() == {} and source.publications() == [], options
    s.sync_until_caught_up(source.uri(), target, "--name", "names", *OPTIONS)
    same(source, target)
    source.sql(CHANGES)
    if s.case == "postgres":
        source.sql('ALTER TABLE "Other"."Table" ADD COLUMN more int; UPDATE "Other"."Table" SET more = 5')
    s.sync_until_caught_up(source.uri(), target, "--name", "names", *OPTIONS)
    same(source, target)
    # a table that joins takes its new name, too
    source.sql("CREATE TABLE shop.joins (id int PRIMARY KEY, v text); INSERT INTO shop.joins VALUES (1, 'one')")
    s.sync_until_caught_up(source.uri(), target, "--name", "names", *OPTIONS)
    source.sql("UPDATE shop.joins SET v = 'two'")
    s.sync_until_caught_up(source.uri(), target, "--name", "names", *OPTIONS)
    assert target.query("SELECT v FROM store.joins").strip() == "two"
    same(source, target)
    if s.case == "postgres":
        assert target.query("SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'store.client'::regclass AND attnum > 0 AND NOT attisdropped") == "id label city"
        assert target.query("SELECT count(*) FROM pg_index WHERE indrelid = 'store.client'::regclass") == "2", "its key, and the index on city"
        assert target.query("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated AND conrelid = 'store.sold'::regclass") == "1"
        assert target.query("SELECT nextval(pg_get_serial_sequence('store.client', 'id'))") == source.sql("SELECT last_value + 1 FROM shop.customer_id_seq")


scenario.run(main, cases=["duckdb", "postgres", "types"])
