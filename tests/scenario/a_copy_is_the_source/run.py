#!/usr/bin/env python3
"""`copy` from PostgreSQL to PostgreSQL: the stock pg_dump writes the same of source and target, and nothing of pgconvoy's is left in the target."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../lib"))
sys.path.insert(0, os.path.join(HERE, "../../dump/lib"))
import copying
import dumping
import scenario
from server import TOP, Server

LARGE = '''
CREATE TABLE parent (id bigint PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, a int UNIQUE, b text, c text, UNIQUE (b, c) INCLUDE (a));
CREATE TABLE large (id int CONSTRAINT "the ""key""" PRIMARY KEY, parent bigint CONSTRAINT fk REFERENCES parent (a), other int, t text, "x;
y" text, UNIQUE ("x;
y"), EXCLUDE USING gist (box(point(id, id), point(id, id)) WITH &&));
INSERT INTO parent SELECT i, i, md5(i::text), i FROM generate_series(1, 40000) i;
INSERT INTO large SELECT i, i % 40000 + 1, i, repeat(md5(i::text), 8), i FROM generate_series(1, 60000) i;
CREATE INDEX ON large (lower(t));
CREATE UNIQUE INDEX identity ON parent (a, c);
ALTER TABLE parent ALTER a SET NOT NULL; ALTER TABLE parent ALTER c SET NOT NULL; ALTER TABLE parent REPLICA IDENTITY USING INDEX identity;
ALTER TABLE large CLUSTER ON "the ""key""";
ALTER TABLE large ADD CONSTRAINT unchecked FOREIGN KEY (other) REFERENCES large NOT VALID;
ALTER TABLE parent ADD CONSTRAINT filled UNIQUE (c, a) WITH (fillfactor = 70);
CREATE TABLE parts (id int PRIMARY KEY, parent int REFERENCES parent (a), v text) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (20000); CREATE TABLE part_2 PARTITION OF parts FOR VALUES FROM (20000) TO (90000);
INSERT INTO parts SELECT i, i % 40000 + 1, md5(i::text) FROM generate_series(1, 60000) i;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM large; CREATE UNIQUE INDEX ON counted (count);
CREATE TABLE no_columns (); INSERT INTO no_columns DEFAULT VALUES;
SELECT lo_from_bytea(0, convert_to(repeat('large', 200000), 'UTF8')), lo_from_bytea(0, 'small');
'''
SMALL = """
DO $$ BEGIN FOR i IN 1..300 LOOP
    EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, other int %s, name text, at timestamptz DEFAULT now())', i, CASE WHEN i > 1 THEN format('REFERENCES t%s', i - 1) END);
    EXECUTE format('INSERT INTO t%s SELECT n, n, md5(n::text) FROM generate_series(1, 100) n', i);
    EXECUTE format('CREATE INDEX ON t%s (other)', i); EXECUTE format('CREATE INDEX ON t%s (name, at)', i);
    COMMIT; -- or so many would need more locks than the server has room for
END LOOP; END $$;
"""


def copy(s, server, source, target, *options, to=None):
    (to or server).sql(f"CREATE DATABASE {target} TEMPLATE template0", check=False)
    return s.pgconvoy("copy", server.socket_conninfo(source), (to or server).socket_conninfo(target), "-j", "3", *options)


def everything(s):
    server = s.server({"max_prepared_transactions": "2"})
    dumping.everything(server, True)
    # a slot and a server of its own are not copied: the database is, on the same server
    copy(s, server, "everything", "target").ok()
    copying.same("everything", copying.dump(server, "everything"), copying.dump(server, "target"))
    copying.nothing_of_ours(server, "target")
    copy(s, server, "everything", "bare", "-O", "-x", "--no-comments", "--no-publications", "--no-subscriptions", "--no-security-labels").ok()
    options = ["-O", "-x", "--no-comments", "--no-publications", "--no-subscriptions", "--no-security-labels"]
    copying.same("without owners and privileges", copying.dump(server, "everything", *options), copying.dump(server, "bare", *options))
    other = s.server({"max_prepared_transactions": "2"})
    copy(s, server, "everything", "target", to=other).fails(1, ["role", "--roles"])
    other.sql("CREATE ROLE dump_super SUPERUSER")  # only such a one may own a subscription
    copy(s, server, "everything", "target", "--roles", to=other).ok()
    copying.same("everything on another server", copying.dump(server, "everything"), copying.dump(other, "target"))
    assert other.sql("SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname ~ '^dump' AND NOT rolsuper") == "dump_other dump_owner dump_reader"


class Regression(Server):
    """A copy of the prepared cluster."""

    def __init__(self, folder, prepared):
        self.prepared = prepared
        super().__init__(folder, {"autovacuum": "off"})

    def _make_data(self, initdb_options):
        subprocess.run(self.user_prefix + ["cp", "-a", "--reflink=auto", self.prepared, self.data], check=True)


def regression(s):
    prepared = subprocess.run([os.path.join(TOP, "scripts/prepare-postgres-tests")], stdout=subprocess.PIPE, text=True)
    if prepared.returncode == 3:
        return print("SKIPPED\nPostgreSQL's source package cannot be had here")
    assert prepared.returncode == 0, "scripts/prepare-postgres-tests failed"
    server = Regression(os.path.join(s.folder, "regression"), os.path.join(prepared.stdout.strip(), "data"))
    s.servers.append(server)
    copy(s, server, "regression", "target").ok()
    expected = copying.dump(server, copying.restored(server, "regression", "restored"))
    copying.same("regression", expected, copying.dump(server, "target"))
    copying.nothing_of_ours(server, "target")


def large(s):
    server = s.server()
    server.create_database("source", LARGE)
    run = copy(s, server, "source", "target", "-j", "4").ok()
    copying.same("large tables", copying.dump(server, "source"), copying.dump(server, "target"))
    copying.nothing_of_ours(server, "target")
    run.stays_below(128 << 20)
    analyzed = server.sql("SELECT count(*) FROM pg_class WHERE relname IN ('large', 'parent', 'part_1', 'counted') AND reltuples > 0", "target")
    assert analyzed == "4", "tables were not analyzed"
    inherited = server.sql("SELECT string_agg(attname, ' ' ORDER BY attname) FROM pg_stats WHERE inherited AND tablename = 'parts'", "target")
    assert inherited == "id parent v", f"the partitioned table has statistics of {inherited or 'nothing'}"
    # one table that is nearly all there is, in ranges
    server.create_database("one", "CREATE TABLE t AS SELECT i, repeat(md5(i::text), 30) AS v FROM generate_series(1, 120000) i; ALTER TABLE t ADD PRIMARY KEY (i)")
    lines = copy(s, server, "one", "two", "--dry-run").ok().stdout
    assert lines.count("TABLE DATA PART") > 1 and "blocks" in lines, lines
    assert server.sql("SELECT count(*) FROM pg_class WHERE relname = 't'", "two") == "0", "a dry run has made something"
    copy(s, server, "one", "two").ok()
    copying.same("one table in ranges", copying.dump(server, "one"), copying.dump(server, "two"))


def small(s):
    """300 tables; SMALL_TABLES=2000 for the longer form."""
    server = s.server()
    server.create_database("source", SMALL.replace("300", os.environ.get("SMALL_TABLES", "300")))
    copy(s, server, "source", "target").ok(600).stays_below(128 << 20)
    copying.same("many small tables", copying.dump(server, "source"), copying.dump(server, "target"))
    copying.nothing_of_ours(server, "target")


def followed(s, server):
    """What a pipeline has made at the source is left there."""
    server.create_database("followed", "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    s.sync_until_caught_up(server.uri("followed"), s.target("stdout"), "--name", "following")
    assert server.sql("SELECT count(*) FROM pg_event_trigger", "followed") == "3" and server.publications("followed")
    copy(s, server, "followed", "not_followed").ok()
    copying.nothing_of_ours(server, "not_followed")
    assert server.sql("SELECT count(*) FROM pg_event_trigger", "not_followed") == "0" and not server.publications("not_followed")
    assert server.sql("SELECT * FROM t", "not_followed") == "1"


def order(s):
    """Views that hold rows of others, the names in the wrong order; large objects that others may read."""
    server = s.server()
    server.sql("CREATE ROLE reader; CREATE ROLE owner")
    server.create_database("source", """CREATE TABLE t AS SELECT generate_series(1, 100) AS i;
        CREATE MATERIALIZED VIEW z AS SELECT count(*) FROM t; CREATE MATERIALIZED VIEW m AS SELECT count + 1 AS count FROM z; CREATE VIEW between_them AS SELECT count + 1 AS count FROM m;
        CREATE MATERIALIZED VIEW a AS SELECT count + 1 AS count FROM between_them; CREATE MATERIALIZED VIEW empty AS SELECT 1 AS one WITH NO DATA; CREATE UNIQUE INDEX ON a (count);
        SELECT lo_from_bytea(5001, 'one'), lo_from_bytea(5002, 'two'), lo_from_bytea(5003, convert_to(repeat('large', 300000), 'UTF8'));
        GRANT SELECT ON LARGE OBJECT 5001 TO reader; GRANT ALL ON LARGE OBJECT 5002 TO reader WITH GRANT OPTION; ALTER LARGE OBJECT 5002 OWNER TO owner; COMMENT ON LARGE OBJECT 5003 IS 'the third'""")
    copy(s, server, "source", "target").ok()
    copying.same("views and large objects", copying.dump(server, "source"), copying.dump(server, "target"))
    assert server.sql("SELECT (SELECT count FROM a), (SELECT relispopulated FROM pg_class WHERE relname = 'empty')", "target") == "103|f"
    acls = "SELECT oid, lomowner::regrole, lomacl FROM pg_largeobject_metadata ORDER BY 1"
    assert server.sql(acls, "source") == server.sql(acls, "target")
    followed(s, server)


def chosen(s):
    server = s.server()
    server.create_database("source", "CREATE SCHEMA a; CREATE TABLE a.t (id int PRIMARY KEY, v text); INSERT INTO a.t SELECT g, 'x' FROM generate_series(1, 60000) AS g; CREATE TABLE a.u (id int); INSERT INTO a.u VALUES (7);"
                                     "CREATE TABLE p (id int REFERENCES a.t); INSERT INTO p VALUES (1)")
    copy(s, server, "source", "only_a", "-n", "a", "-T", "a.u").ok()
    copying.same("a schema without a table", copying.dump(server, "source", "-n", "a", "-T", "a.u"), copying.dump(server, "only_a", "-n", "a"))
    copy(s, server, "source", "shape", "-s").ok()
    copying.same("definitions alone", copying.dump(server, "source", "-s"), copying.dump(server, "shape", "-s"))
    counts = "SELECT (SELECT count(*) FROM a.t), (SELECT count(*) FROM a.u), (SELECT count(*) FROM p)"
    assert server.sql(counts, "shape") == "0|0|0"
    copy(s, server, "source", "shape", "-a", "--exclude-table-data", "a.u").ok()
    assert server.sql(counts, "shape") == "60000|0|1", "rows of p came before those of a.t that they refer to"
    copy(s, server, "source", "shape", "-a").fails(1, ["has rows already", "--if-exists"])
    copy(s, server, "source", "shape", "-a", "--if-exists", "truncate").ok()
    copying.same("rows anew", copying.dump(server, "source"), copying.dump(server, "shape"))
    copy(s, server, "source", "nothing", "-a").fails(1, "is not there")
    filter_file = os.path.join(s.folder, "filter")
    with open(filter_file, "w", encoding="utf-8") as file:
        file.write("include table a.*\nexclude table_data a.t # its rows\n")
    server.sql("CREATE DATABASE by_filter TEMPLATE template0"), server.sql("CREATE SCHEMA a", "by_filter")
    copy(s, server, "source", "by_filter", "--filter", filter_file).ok()
    assert server.sql("SELECT (SELECT count(*) FROM a.t), (SELECT count(*) FROM a.u)", "by_filter") == "0|1"
    # the tables are there already
    server.create_database("there", "CREATE SCHEMA a; CREATE TABLE a.t (id bigint PRIMARY KEY, v varchar(10), more int); CREATE TABLE a.u (id int)")
    copy(s, server, "source", "there", "--if-exists", "append").ok()
    assert server.sql("SELECT count(*), max(id), min(v), max(v), count(more) FROM a.t", "there") == "60000|60000|x|x|0" and server.sql("SELECT id FROM a.u UNION SELECT id FROM p ORDER BY 1", "there") == "1\n7"
    copy(s, server, "source", "there", "--if-exists", "append", "-t", "a.u").ok()
    assert server.sql("SELECT count(*) FROM a.u", "there") == "2"
    copy(s, server, "source", "there", "--if-exists", "truncate").ok()
    assert server.sql("SELECT count(*) FROM a.t", "there") == "60000" and server.sql("SELECT count(*) FROM a.u", "there") == "1"
    copy(s, server, "source", "there", "--if-exists", "drop").ok()
    copying.same("after a drop", copying.dump(server, "source"), copying.dump(server, "there"))


def versions(s, old, new):
    source, target = s.server({}, scenario.embedded_postgres(old)), s.server({}, scenario.embedded_postgres(new))
    dumping.everything(source, False)
    copy(s, source, "everything", "target", "--roles", to=target).ok()
    listed = source.sql("SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r' AND nspname !~ '^pg_' AND nspname <> 'information_schema'",
                        "everything").split("\n")
    assert len(listed) > 30, listed
    for schema, table in (name.split(".", 1) for name in listed):
        shape = source.columns(schema, table, "everything")
        assert shape == target.columns(schema, table, "target"), table
        if shape:
            query = "SELECT " + ", ".join(scenario.quote_ident(name) for name, _ in shape) + f" FROM ONLY {scenario.quote_ident(schema)}.{scenario.quote_ident(table)}"
            assert sorted(source.copy_out(query, "everything")) == sorted(target.copy_out(query, "target")), table
    copying.nothing_of_ours(target, "target")


CASES = {"everything": everything, "regression": regression, "large": large, "small": small, "order": order, "chosen": chosen,
         "12-18": lambda s: versions(s, 12, 18), "18": lambda s: versions(s, 18, 18)}
scenario.run(lambda s: CASES[s.case](s), list(CASES))
