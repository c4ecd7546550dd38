#!/usr/bin/env python3
"""A copy gives schemas, tables and columns other names, and takes only some columns and rows: all that is defined on a table speaks of it by its new names, whether the copy made it or found it there."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))
import copying
import scenario

SCHEMA = r"""
CREATE SCHEMA shop; CREATE SCHEMA "Odd one";
CREATE TYPE shop.kind AS ENUM ('a', 'b'); CREATE DOMAIN shop.price AS numeric CHECK (VALUE >= 0);
CREATE FUNCTION shop.vat(shop.price) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 1.19';
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql SET search_path TO shop, pg_temp AS 'BEGIN new.note := coalesce(new.note, tg_table_name); RETURN new; END';
CREATE TABLE shop.customer (id serial PRIMARY KEY, name text NOT NULL, kind shop.kind DEFAULT 'a', note text, secret text CHECK (secret <> ''), UNIQUE (name));
CREATE TABLE shop.orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int REFERENCES shop.customer ON DELETE CASCADE, total shop.price CONSTRAINT positive CHECK (total > 0.5), day date NOT NULL,
    gross numeric GENERATED ALWAYS AS (shop.vat(total)) STORED);
CREATE INDEX by_vat ON shop.orders (shop.vat(total), day) WHERE total > 1;
CREATE INDEX by_secret ON shop.customer (lower(secret));
CREATE TRIGGER touch BEFORE INSERT OR UPDATE OF name ON shop.customer FOR EACH ROW WHEN (new.name <> 'shop.x') EXECUTE FUNCTION shop.touch();
CREATE TABLE shop.event (at date, id int, what text, PRIMARY KEY (at, id)) PARTITION BY RANGE (at);
CREATE TABLE shop.event_1 PARTITION OF shop.event FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE "Odd one".event_2 PARTITION OF shop.event FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE VIEW shop.sums AS SELECT c.name, sum(o.total) AS total, 'shop.customer'::regclass::oid <> 0 AS known FROM shop.orders o JOIN shop.customer c ON c.id = o.customer GROUP BY c.name;
CREATE MATERIALIZED VIEW shop.known AS SELECT s.*, kind FROM shop.sums s JOIN shop.customer USING (name); CREATE UNIQUE INDEX ON shop.known (name);
CREATE STATISTICS shop.together ON name, note FROM shop.customer;
ALTER TABLE shop.customer ENABLE ROW LEVEL SECURITY; CREATE POLICY seen ON shop.customer USING (name <> 'x' OR EXISTS (SELECT FROM shop.orders WHERE orders.customer = customer.id));
CREATE RULE nothing AS ON DELETE TO shop.sums DO INSTEAD NOTHING;
COMMENT ON TABLE shop.customer IS 'of shop.customer'; COMMENT ON COLUMN shop.customer.secret IS 'hidden'; COMMENT ON SCHEMA shop IS 'sells';
CREATE PUBLICATION of_orders FOR TABLE shop.orders;
INSERT INTO shop.customer (name, secret) SELECT 'c' || i, 's' || i FROM generate_series(1, 200) i;
INSERT INTO shop.orders (customer, total, day) SELECT i % 200 + 1, i, '2026-01-01'::date + i % 50 FROM generate_series(1, 3000) i;
INSERT INTO shop.event SELECT '2026-01-01'::date + i % 50, i, 'e' || i FROM generate_series(1, 500) i;
REFRESH MATERIALIZED VIEW shop.known; CREATE TABLE shop.flat (id serial PRIMARY KEY, v text); INSERT INTO shop.flat (v) VALUES ('x');
CREATE TABLE plain (id int PRIMARY KEY); INSERT INTO plain VALUES (1);
"""


def copy(s, server, target, *options):
    server.sql(f"CREATE DATABASE {target} TEMPLATE template0", check=False)
    return s.pgconvoy("copy", server.socket_conninfo("source"), server.socket_conninfo(target), "-j", "2", *options)


def renamed_at_home(server, name, *commands):
    """What the server itself makes of the source with these commands: the one to compare with."""
    server.sql(f"CREATE DATABASE {name} TEMPLATE source")
    for command in commands:
        server.sql(command, name)
    return copying.dump(server, name)


def schemas(s, server):
    copy(s, server, "schemas", "--map-schema", "shop=store", "--map-schema", 'public="Pub lic"').ok()
    server.sql('ALTER FUNCTION store.touch() RESET search_path', "schemas")  # an ALTER SCHEMA does not reach it, a copy does
    expected = renamed_at_home(server, "schemas_home", "ALTER SCHEMA shop RENAME TO store", 'ALTER SCHEMA public RENAME TO "Pub lic"', "CREATE SCHEMA public",
                               "ALTER FUNCTION store.touch() RESET search_path")
    found = copying.dump(server, "schemas")
    public = (b"-- Name: SCHEMA public", b"-- Name: public", b"GRANT ALL ON SCHEMA", b"REVOKE USAGE ON SCHEMA", b"ALTER SCHEMA ", b"GRANT USAGE ON SCHEMA", b"-- Name: Pub lic", b"-- Name: SCHEMA \"Pub lic\"", b"COMMENT ON SCHEMA \"Pub", b"COMMENT ON SCHEMA public",
              b"CREATE SCHEMA", b"-- *not*", b"", b"--")
    without = lambda lines: [line for line in lines if not line.startswith(public[:-2]) and line not in public]
    copying.same("schemas under other names", without(expected), without(found))
    assert server.sql("INSERT INTO store.customer (name) VALUES ('new') RETURNING id, note", "schemas") == "201|customer"


def tables(s, server):
    run = copy(s, server, "tables", "--map-table", "shop.customer=sales.client", "--map-column", "shop.customer.name=label", "--map-column", "shop.event.what=happened", "--map-table", "shop.event=events",
               "--map-column", "shop.orders.total=sum").ok()
    expected = renamed_at_home(server, "tables_home", "CREATE SCHEMA sales", "ALTER TABLE shop.customer RENAME name TO label; ALTER TABLE shop.customer RENAME TO client; ALTER TABLE shop.client SET SCHEMA sales",
                               "ALTER TABLE shop.event RENAME what TO happened; ALTER TABLE shop.event RENAME TO events", "ALTER TABLE shop.orders RENAME total TO sum")
    copying.same("tables and columns under other names", expected, copying.dump(server, "tables"))
    copying.nothing_of_ours(server, "tables")
    assert "touch" not in run.stderr, "a function was named that speaks of nothing that has another name"


def some(s, server):
    run = copy(s, server, "fewer", "--columns", "shop.customer=id,name,kind,note", "--where", "shop.orders=total <= 100 -- cheap", "--where", "shop.event=at < '2026-02-10'", "-T", "shop.known").ok()
    for what in ("check constraint customer_secret_check", "index shop.by_secret", "secret"):
        assert what in run.stderr, run.stderr
    assert server.sql("SELECT count(*), max(total) FROM shop.orders", "fewer") == "100|100"
    assert server.sql("SELECT count(*), max(at) FROM shop.event", "fewer") == server.sql("SELECT count(*), max(at) FROM shop.event WHERE at < '2026-02-10'", "source")
    assert server.sql("SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'shop.customer'::regclass AND attnum > 0 AND NOT attisdropped", "fewer") == "id name kind note"
    expected = server.sql("SELECT id, name, kind, note FROM shop.customer ORDER BY 1", "source")
    assert server.sql("SELECT * FROM shop.customer ORDER BY 1", "fewer") == expected


def there(s, server):
    server.create_database("there", "CREATE SCHEMA b; CREATE TABLE b.client (label varchar(20), key serial PRIMARY KEY, extra int DEFAULT 7); INSERT INTO b.client VALUES ('old', 1000)")
    options = ["--map-table", "shop.customer=b.client", "--map-column", "shop.customer.name=label", "--map-column", "shop.customer.id=key", "--columns", "shop.customer=id,name", "-t", "shop.customer"]
    copy(s, server, "there", *options).fails(1, ["b.client", "--if-exists"])
    copy(s, server, "there", *options, "--if-exists", "append").ok()
    assert server.sql("SELECT count(*), max(key), min(extra), min(label) FROM b.client", "there") == "201|1000|7|c1"
    copy(s, server, "there", *options, "--if-exists", "truncate").ok()
    assert server.sql("SELECT count(*), max(key), min(label) FROM b.client", "there") == "200|200|c1"
    assert server.sql("INSERT INTO b.client (label) VALUES ('next') RETURNING key", "there") == "201", "the sequence of the table that was there does not go on"
    server.sql("CREATE TABLE b.level (old int); CREATE VIEW b.on_it AS SELECT * FROM b.client", "there")
    copy(s, server, "there", "-t", "shop.flat", "--map-table", "shop.flat=b.level", "--if-exists", "drop").ok()
    assert server.sql("SELECT v FROM b.level", "there") == "x" and server.sql("INSERT INTO b.level (v) VALUES ('y') RETURNING id", "there") == "2"
    assert server.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'shop'", "there") == "0", "the schema in which the table was made is left"


def refused(s, server):
    server.create_database("empty")
    for options, says in (
        (["--map-schema", "nothing=b"], "nothing"), (["--map-table", "shop.nothing=b"], "shop.nothing"), (["--map-column", "shop.customer.nothing=b"], "shop.customer.nothing"),
        (["--map-column", "shop.customer.name=note"], "has the new name already"), (["--map-table", "shop.customer=orders"], "two tables"), (["--columns", "shop.customer=id,nothing"], "nothing"),
        (["--columns", "shop.event=id,what"], "partitioned by the column"), (["--columns", "shop.orders=id,gross,day"], "generated from it"), (["--where", "shop.orders=total <"], "the condition for the rows of shop.orders"),
        (["--map-column", "shop.event_1.what=x"], "comes from a parent"), (["--map-table", "shop.customer_id_seq=x"], "sequences keep their names"),
        (["--map-schema", "shop=store"], "uses the name of a schema")):
        if options[1] == "shop=store":
            server.sql("CREATE VIEW shop.odd AS SELECT shop.id FROM shop.customer shop", "source")
        copy(s, server, "empty", *options).fails(1, says)
        assert server.sql("SELECT count(*) FROM pg_namespace WHERE nspname IN ('shop', 'store', 'pgconvoy')", "empty") == "0", "something was changed"
    copy(s, server, "empty", "--map-schema", "shop=store", "--skip-unavailable", "-N", "public").ok()
    assert server.sql("SELECT to_regclass('store.customer') IS NOT NULL AND to_regclass('store.odd') IS NULL", "empty") == "t"
    for options in (["--map-table", "a.t=b.c.d"], ["--where", "a.t="]):
        copy(s, server, "empty", *options).fails(2, options[0])


def by_file(s, server):
    path = os.path.join(s.folder, "copy.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("""map-schema: {shop: store}
map-table:
  shop.customer: client
map-column: {shop.customer.name: label}
columns:
  shop.customer: [id, name, kind, note]
where: {shop.customer: id <= 10, shop.orders: customer <= 10}
schema: [shop]
exclude-table-and-children: [shop.event, shop.odd]
no-owner: true
""")
    copy(s, server, "by_file", "--config", path).ok()
    assert server.sql("SELECT count(label), count(id) FROM store.client", "by_file") == "10|10" and server.sql("SELECT max(customer) FROM store.orders", "by_file") == "10"


def main(s):
    server = s.server()
    server.create_database("source", SCHEMA)
    for case in (schemas, tables, some, there, refused, by_file):
        case(s, server)
        print(case.__name__)


scenario.run(main)
