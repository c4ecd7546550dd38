#!/usr/bin/env python3
"""Everything arrives in ClickHouse once: values of every type, key changes and TOASTed values, truncates, changes of columns, a history of changes; whatever request fails; from a
current engine and from a server of 2018. Wrong passwords, tables in the way and values that have no place are named.

CLICKHOUSE_ALL=1 adds the longer forms: the old server, the history, every request of a copy failing in turn (3: in each of the three ways), a large table within its memory, the statements for a cluster, and the contract of a sink.
"""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import clickhouse
import scenario
from faulty import FaultyProxy

ALL = "CLICKHOUSE_ALL" in os.environ
ALL_KINDS = os.environ.get("CLICKHOUSE_ALL") == "3"
KINDS = ("before", "after", "half")

TABLES = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s \\ fine');
CREATE TABLE keyed (id int PRIMARY KEY, small int2, big int8, r real, d double precision, n numeric(20,6), wide numeric(60,10), free numeric, t text, v varchar(9), c char(5),
    b boolean, bytes bytea, day date, at timestamp, atz timestamptz, span interval, clock time, u uuid, j jsonb, a int[] NOT NULL DEFAULT '{}', maybe text[], m mood, ip inet,
    range int4range, o oid, large text);
ALTER TABLE keyed ALTER large SET STORAGE EXTERNAL;
CREATE TABLE "Odd `name` \\ 'x'" ("a b" text, "c`d" int, PRIMARY KEY ("a b", "c`d"));
CREATE TABLE heap (a int, b text, c numeric(8,2)); ALTER TABLE heap REPLICA IDENTITY FULL;
CREATE TABLE log (line text);
CREATE SCHEMA other; CREATE TABLE other.keyed (id uuid PRIMARY KEY, note text);
"""

ROWS = r"""
INSERT INTO keyed SELECT base + i, i, i * 9007199254740993, i / 3.0, i / 7.0, i * 12345.678901, i * 1234567890123456789012345678901234567890.0123456789, 10.0 ^ i, 'ü' || chr(10) || chr(9) || i, 'v', 'c', i % 2 = 0,
    '\x000aff5c27', date '1950-01-01' + i, timestamp '2001-02-03 04:05:06.789' + i * interval '1 year', timestamptz '1905-01-01 00:00:00.000001Z' + i * interval '1 day', '1 day', '24:00', gen_random_uuid(),
    '{"a": [1, "x"]}', ARRAY[i, NULL, 3], '{}', 'ok', '::1', '[1,5)', 4294967295, repeat(md5(i::text), 300) FROM generate_series(1, 20) AS i, (SELECT :base::int AS base) AS x;
INSERT INTO keyed (id) VALUES (:base);
INSERT INTO keyed (id, d, r, small, big, n, wide, m, maybe, day, at, a) VALUES (:base + 100, 'NaN', '-Infinity', -32768, -9223372036854775808, -99999999999999.999999,
    -99999999999999999999999999999999999999999999999999.9999999999, 'it''s \ fine', '{a,NULL,"b c"}', '2299-12-31', '1900-01-01', '{}');
INSERT INTO "Odd `name` \ 'x'" VALUES ('x' || :base, 1), ('', :base);
INSERT INTO heap SELECT i % 4, 'same', 1.50 FROM generate_series(1, 12) AS i; INSERT INTO heap VALUES (NULL, NULL, NULL);
INSERT INTO log VALUES ('line'), ('line'), (NULL);
INSERT INTO other.keyed VALUES (gen_random_uuid(), 'o');
"""

CHANGES = """
UPDATE keyed SET t = 'changed' WHERE id % 3 = 0;
BEGIN; UPDATE keyed SET id = id + 500 WHERE id BETWEEN 1 AND 5; UPDATE keyed SET t = 'moved' WHERE id > 502 AND id < 600; DELETE FROM keyed WHERE id = 6; INSERT INTO keyed (id, t) VALUES (6, 'again'); COMMIT;
BEGIN; UPDATE keyed SET id = -7 WHERE id = 7; UPDATE keyed SET id = 7 WHERE id = 8; UPDATE keyed SET id = 8 WHERE id = -7; COMMIT;
BEGIN; INSERT INTO keyed (id) VALUES (9000); DELETE FROM keyed WHERE id = 9000; COMMIT;
DELETE FROM keyed WHERE id = 10; UPDATE heap SET b = 'other' WHERE a = 1; DELETE FROM heap WHERE a = 2;
UPDATE "Odd `name` \\ 'x'" SET "c`d" = "c`d" + 5; INSERT INTO log VALUES ('more');
"""


def fill(source, base):
    source.sql(f"\\set base {base}\n" + ROWS)


def begin(s, part="chdb"):
    source = s.server()
    source.sql(TABLES)
    fill(source, 0)
    return source, s.target("clickhouse" if part == "chdb" else "clickhouse-server")


def rows_are_the_sources(s, part="chdb"):
    source, target = begin(s, part)
    s.sync_until_caught_up(source.uri(), target, "--name", "all")
    s.equal(source, target)
    fill(source, 1000)
    source.sql(CHANGES)
    s.sync_until_caught_up(source.uri(), target, "--name", "all")
    s.equal(source, target)
    source.sql("BEGIN; INSERT INTO heap VALUES (7, 'x', 1); TRUNCATE heap, other.keyed; INSERT INTO heap VALUES (8, 'y', 2); COMMIT; UPDATE keyed SET id = id + 20000 WHERE id > 1000")
    s.sync_until_caught_up(source.uri(), target, "--name", "all")
    s.equal(source, target)
    return source, target


def current(s):
    """A current engine; then changes of columns, a new label, and what drop leaves."""
    source, target = rows_are_the_sources(s)
    kinds = target.types("public", "keyed")
    for column, kind in {"wide": "Nullable(Decimal(60, 10))", "free": "Nullable(String)", "at": "Nullable(DateTime64(6, 'UTC'))", "day": "Nullable(Date32)", "a": "Array(Nullable(Int32))",
                         "maybe": "Nullable(String)", "u": "Nullable(UUID)", "b": "Nullable(Bool)", "id": "Int32", "_version": "UInt64"}.items():
        assert kinds[column] == kind, (column, kinds[column])
    assert "Enum8" in kinds["m"], kinds["m"]
    assert "ReplacingMergeTree(_version, _deleted)" in target.query("SHOW CREATE TABLE target.keyed")
    source.sql("DELETE FROM keyed WHERE id = 9")
    run = s.pgconvoy("verify", source.uri(), target.uri, "--name", "all", "--json")
    assert run.wait(120) == 3, run.error_tail()
    found = json.loads(run.stdout)
    assert {table["table"]: [row["key"] for row in table["rows"]] for table in found["tables"] if table["rows"]} == {"keyed": ["(id)=(9)"]} and not found["schema"], found
    source.sql("ALTER TYPE mood ADD VALUE 'new' BEFORE 'ok'")
    source.sql("""INSERT INTO keyed (id, m) VALUES (30000, 'new'); ALTER TABLE keyed DROP COLUMN span; INSERT INTO keyed (id, a) VALUES (30001, '{1}');
    ALTER TABLE keyed RENAME COLUMN t TO words; ALTER TABLE keyed ADD COLUMN extra int; UPDATE keyed SET extra = 5, words = 'w' WHERE id = 30001; ALTER TABLE keyed ADD COLUMN filled text DEFAULT 'it''s';
    ALTER TABLE keyed ALTER small TYPE int; UPDATE keyed SET small = 100000 WHERE id = 30001; ALTER TABLE other.keyed RENAME TO renamed; INSERT INTO other.renamed VALUES (gen_random_uuid(), 'r');
    ALTER TABLE other.renamed ALTER note SET NOT NULL""")
    s.sync_until_caught_up(source.uri(), target, "--name", "all")
    s.equal(source, target)
    s.pgconvoy("drop", "all").ok()
    assert "pgconvoy" not in target.query("SELECT arrayStringConcat(groupArray(name), ' ') FROM system.tables WHERE database = 'target'")
    s.nothing_left(source)


def copied(s, part="chdb"):
    """A copy in several blocks and INSERTs, in every encoding; of tables with arrays, JSON, and values that have no place; into a table that was there."""
    source, target = begin(s, part)
    source.sql("""CREATE TABLE long (id int PRIMARY KEY, a int[] NOT NULL, words text[] NOT NULL, t text, n numeric(12,3), b boolean, u uuid, at timestamptz, m mood);
    INSERT INTO long SELECT i, ARRAY[i, NULL, -i], CASE WHEN i % 3 = 0 THEN '{}' ELSE ARRAY['w' || i, NULL] END, CASE WHEN i % 5 > 0 THEN repeat('x', i % 90) || i END, i / 8.0, i % 7 = 0,
        CASE WHEN i % 2 = 0 THEN md5(i::text)::uuid END, timestamptz '2000-01-01Z' + i * interval '1 hour', CASE WHEN i % 4 > 0 THEN 'ok'::mood END FROM generate_series(1, 20000) AS i;
    CREATE TABLE wide AS SELECT i, repeat(md5(i::text), 100000) AS t FROM generate_series(1, 3) AS i""")
    for option in ("compression=none", "compression=gzip", *(("compression=lz4", "compression=zstd", "mode=history") if part == "chdb" else ())):
        kind = clickhouse.ClickhouseTarget(target.server, "c_" + option.partition("=")[2])
        kind.uri = target.server.uri(kind.database, "?" + option)
        s.pgconvoy("copy", source.uri(), kind.uri, "-j", "2", "--memory", "64MB").ok(120)
        if option == "mode=history":
            found = kind.query("SELECT count(), sum(id), sum(_commit_lsn), min(_operation), max(_operation), min(_lsn) > 0, sum(length(_unchanged)) FROM c_history.long")
            assert found == "20000\t200010000\t0\tcopy\tcopy\t1\t0", found
        else:
            s.equal(source, kind)
    source.sql("CREATE TABLE odd (id int PRIMARY KEY, j jsonb, a int[], day date); INSERT INTO odd VALUES (1, '{\"x\": 1}', '{1,NULL}', '2020-01-01'), (2, NULL, NULL, 'infinity'), (3, '{}', '{}', NULL)")
    forms = {"arrays=array&unmappable=null": "1\t{\"x\": 1}\t[1,NULL]\t2020-01-01\n2\t\\N\t[]\t\\N\n3\t{}\t[]\t\\N"}
    if part == "chdb":
        forms["arrays=array&unmappable=null&json=json"] = forms["arrays=array&unmappable=null"].replace('"x": 1', '"x":1')
        for number, (form, rows) in enumerate(forms.items()):
            kind = clickhouse.ClickhouseTarget(target.server, f"form{number}")
            kind.uri = target.server.uri(kind.database, "?" + form)
            s.pgconvoy("copy", source.uri(), kind.uri, "-t", "odd").ok(120)
            found = kind.query(f"SELECT id, j, a, day FROM form{number}.odd ORDER BY id")
            assert found == rows, found
    source.sql("CREATE TABLE again (id int PRIMARY KEY, v int NOT NULL, m mood NOT NULL); INSERT INTO again VALUES (1, 1, 'ok')")
    s.pgconvoy("copy", source.uri(), target.uri, "-t", "again").ok(120)
    source.sql("ALTER TYPE mood ADD VALUE 'new' BEFORE 'ok'")
    source.sql("ALTER TABLE again ALTER v DROP NOT NULL; INSERT INTO again VALUES (2, NULL, 'new')")
    s.pgconvoy("copy", source.uri(), target.uri, "-t", "again", "--if-exists", "append", "--name", "again").ok(120)
    assert target.query("SELECT id, v, m FROM target.again_current ORDER BY id") == "1\t1\tok\n2\t\\N\tnew"


def copied_to_old_server(s):
    copied(s, "server")


def old_server(s):
    """Debian's server of 2018, which lacks DateTime64, Date32, Bool, Decimal of 76 digits, tokens and is_deleted."""
    source, target = rows_are_the_sources(s, "server")
    s.pgconvoy("verify", source.uri(), target.uri, "--name", "all").ok(120)
    source.sql("UPDATE keyed SET at = NULL WHERE id = 9; DELETE FROM heap WHERE a = 8")
    run = s.pgconvoy("verify", source.uri(), target.uri, "--name", "all", "--json")
    assert run.wait(120) == 3, run.error_tail()
    found = {table["table"]: [(row["kind"], row["key"], *(detail["name"] for detail in row["details"])) for row in table["rows"]] for table in json.loads(run.stdout)["tables"] if table["rows"]}
    assert found == {"keyed": [("changed", "(id)=(9)", "at")], "heap": [("extra", "(a, b, c)=(8, y, 2.00)")]}, found
    kinds = target.types("public", "keyed")
    assert kinds["wide"] == kinds["at"] == kinds["day"] == "Nullable(String)" and kinds["b"] == "Nullable(UInt8)", kinds


def history(s):
    """mode=history: a row for each change, none twice, with operation and position."""
    source, target = begin(s)
    target.uri += "&mode=history"
    s.sync_until_caught_up(source.uri(), target, "--name", "all")
    source.sql("UPDATE keyed SET t = 'h' WHERE id = 1; DELETE FROM keyed WHERE id = 2; UPDATE keyed SET id = 777 WHERE id = 3; TRUNCATE log")
    s.sync_until_caught_up(source.uri(), target, "--name", "all")
    shown = target.query("SELECT _operation, id, t, length(large), _unchanged FROM target.keyed WHERE _operation != 'copy' ORDER BY _commit_lsn, _sequence FORMAT JSONCompactEachRow")
    assert [json.loads(line) for line in shown.split("\n")] == [["update", 1, "h", None, ["large"]], ["delete", 2, None, None, []], ["update", 777, "ü\n\t3", None, ["large"]]], shown
    assert target.query("SELECT _operation FROM target.log ORDER BY _commit_lsn, _sequence") == "copy\ncopy\ncopy\ntruncate"
    assert target.query("SELECT min(_commit_lsn), toYear(max(_commit_time)) > 2020 FROM target.keyed") == "0\t1"


def faults(s):
    """A request fails before it arrives, after it was done, or is cut half-way, each in turn: the same command ends equal."""
    source, target = begin(s)
    proxy = FaultyProxy(target.server.port)
    s.proxies.append(proxy)
    target.uri = target.server.uri("target", "?commit_interval=0", proxy.port)
    options = ("--name", "all", "-j", "1")
    s.sync_until_caught_up(source.uri(), target, *options)
    whole = proxy.count
    s.pgconvoy("drop", "all").ok()
    tried, number = 0, 0
    while number < whole + 2:
        number += 1
        for kind in KINDS if ALL_KINDS else [KINDS[number % 3]]:
            database = f"f{number}_{kind}"
            one = clickhouse.ClickhouseTarget(target.server, database)
            one.uri = target.server.uri(database, "?commit_interval=0", proxy.port)
            proxy.fail(number, kind)
            name = ("--name", database, "-j", "1")
            run = s.sync(source.uri(), one, *name, "--until", "caught-up")
            run.wait(120)
            proxy.fail(0, "")
            s.sync_until_caught_up(source.uri(), one, *name)
            # and once more among the changes
            fill(source, 100000 + 1000 * tried)
            source.sql(f"UPDATE keyed SET id = id + 500000000 WHERE id BETWEEN {100000 + 1000 * tried} AND {100005 + 1000 * tried}; UPDATE heap SET b = b || '{tried}' WHERE a = 1")
            proxy.fail(5 + s.random.randrange(30), kind)
            s.sync(source.uri(), one, *name, "--until", "caught-up").wait(120)
            proxy.fail(0, "")
            s.sync_until_caught_up(source.uri(), one, *name)
            s.equal(source, one)
            s.pgconvoy("drop", database).ok()
            tried += 1
    print(f"{tried} faults among {whole} requests of a copy, {proxy.failed} met")
    assert proxy.failed > 0


def cluster(s):
    """With cluster and replicated each definition is one for the cluster, and each table a replicated one; what that does on a cluster was not tried."""
    source, target = begin(s)
    target.uri += "&cluster=two%20nodes&replicated=on&replica_path=/ours/{shard}"
    s.sync_until_caught_up(source.uri(), target, "--name", "all")
    fill(source, 1000)
    source.sql(CHANGES)
    source.sql("""ALTER TABLE keyed RENAME COLUMN t TO words; ALTER TABLE keyed ADD COLUMN extra int DEFAULT 3; ALTER TABLE keyed DROP COLUMN span; ALTER TABLE keyed ALTER small TYPE int; UPDATE keyed SET small = 70000
        WHERE id = 1; ALTER TYPE mood ADD VALUE 'new'; INSERT INTO keyed (id, m) VALUES (30000, 'new'); TRUNCATE log""")
    run = s.sync(source.uri(), target, "--name", "all")
    scenario.wait_for(lambda: source.sql("SELECT active FROM pg_replication_slots") == "t", 60, "the stream begins")
    source.sql("ALTER TABLE other.keyed RENAME TO renamed; INSERT INTO other.renamed VALUES (gen_random_uuid(), 'r')")
    end = source.current_lsn()
    scenario.wait_for(lambda: source.sql(f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots") == "t", 60, "all has arrived")
    run.stop()
    s.equal(source, target)
    s.pgconvoy("drop", "all").ok()
    sent = [line for line in target.server.definitions() if not line.startswith("CREATE DATABASE") and "ENGINE = Memory" not in line]
    lasting = [line for line in sent if not re.match(r"DROP TABLE (IF EXISTS )?`target`.`pgconvoy_all_", line)]
    assert not [line for line in lasting if " ON CLUSTER `two nodes`" not in line], [line for line in lasting if " ON CLUSTER `two nodes`" not in line]
    tables = [line for line in lasting if line.startswith("CREATE TABLE")]
    assert tables and all(re.search(r"ENGINE = Replicated(Replacing)?MergeTree\('/ours/\{shard\}/target/(?:[^'\\]|\\.)+', '\{replica\}'", line) for line in tables), tables
    assert any("ReplicatedReplacingMergeTree('/ours/{shard}/target/keyed', '{replica}', _version, _deleted)" in line for line in tables), tables
    kinds = {line.split()[0] + (" " + word if (word := next((w for w in ("RENAME COLUMN", "ADD COLUMN", "DROP COLUMN", "MODIFY COLUMN") if w in line), "")) else "") for line in lasting}
    assert kinds >= {"CREATE", "TRUNCATE", "RENAME", "DROP", "ALTER RENAME COLUMN", "ALTER ADD COLUMN", "ALTER DROP COLUMN", "ALTER MODIFY COLUMN"}, kinds
    assert all(line.endswith(" SYNC") for line in lasting if line.startswith("DROP TABLE")), lasting


def large_table(s):
    """A table far larger than --memory is copied within it."""
    source = s.server()
    source.sql("CREATE TABLE large (id int PRIMARY KEY, note text); INSERT INTO large SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 500000) AS i")
    target = s.target("clickhouse")
    source.sql("CREATE TABLE small (id int PRIMARY KEY)")
    base = s.pgconvoy("copy", source.uri(), target.uri, "-t", "small", "--memory", "64MB").ok().peak_rss
    run = s.pgconvoy("copy", source.uri(), target.uri, "-t", "large", "--memory", "64MB", "-j", "2").ok(600)
    limit = max(base, 20 << 20) + (128 << 20)
    run.stays_below(limit)
    size = int(source.sql("SELECT pg_table_size('large')"))
    print(f"peak resident memory {run.peak_rss >> 20} MB of {limit >> 20} MB for a table of {size >> 20} MB")
    assert size > 4 * (64 << 20), size
    assert target.query("SELECT count(), sum(id) FROM target.large_current") == "500000\t125000250000"


def refused(s):
    """What cannot be is named: a value, a table in the way, a database that is not there, a password, an option."""
    source = s.server()
    source.sql("CREATE TABLE t (id int PRIMARY KEY, n numeric(6,2), at timestamptz); INSERT INTO t VALUES (5, 'NaN', '2020-01-01'), (6, 1, 'infinity')")
    target = s.target("clickhouse")
    s.sync(source.uri(), target, "--name", "v", "--until", "caught-up").fails(1, "column n of table public.t, row with id = 5: numeric is NaN")
    s.pgconvoy("drop", "v").ok()
    target.query("DROP TABLE IF EXISTS target.t"), target.query("DROP TABLE IF EXISTS target.t_current")
    target.query("CREATE TABLE target.t (x Int32) ENGINE = Memory")
    s.sync(source.uri(), target, "--name", "v", "--until", "caught-up").fails(1, "table t is already in database target")
    s.sync(source.uri(), target, "--name", "v", "--until", "caught-up", "--if-exists", "append").fails(1, "table t in ClickHouse has no column")
    base = target.uri
    for option, shown in {"null": "5\t\\N\tset\n6\t1\t\\N", "text": "5\tNaN\tset\n6\t1.00\tinfinity"}.items():
        target.uri = f"{base}&unmappable={option}"
        target.uri = target.uri.replace("//", "//default:sec%2Fret@")
        s.sync_until_caught_up(source.uri(), target, "--name", option, "--if-exists", "drop")
        assert "sec%2Fret" not in s.pgconvoy("status", option).ok().stdout and subprocess.run(["grep", "-rq", "sec%2Fret", s.state]).returncode == 1
        rows = target.query("SELECT id, n, if(id = 5, 'set', toString(at)) FROM target.t_current ORDER BY id")
        assert rows == shown, rows
        s.pgconvoy("drop", option).ok()
    for uri, status, words in [(target.server.uri("nowhere"), 1, "nowhere"), (target.server.uri("target", "?colour=red"), 2, 'no option "colour"'),
                               (target.server.uri("target", port=1), 1, "127.0.0.1:1")]:
        target.uri = uri
        run = s.sync(source.uri(), target, "--name", "w", "--until", "caught-up")
        assert run.wait(120) == status and words in run.stderr, run.error_tail()


def contract(s):
    """The contract that every sink is held to."""
    target = s.target("clickhouse")
    program = os.path.join(os.path.dirname(os.environ.get("PGCONVOY", "")) or os.path.join(scenario.TOP, "build/src/cli"), "../../tests/contract/test_contract")
    done = subprocess.run([program], env={**os.environ, "PGCONVOY_TEST_CLICKHOUSE": target.uri}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert done.returncode == 0 and "clickhouse: no server" not in done.stdout, done.stdout


CASES = {"current": (current, "chdb"), "copied": (copied, "chdb"), "refused": (refused, "chdb")}
if ALL:
    CASES.update({"cluster": (cluster, "chdb"), "large_table": (large_table, "chdb"), "old_server": (old_server, "server"), "copied_to_old_server": (copied_to_old_server, "server"), "history": (history, "chdb"), "faults": (faults, "chdb"), "contract": (contract, "chdb")})


def main(s):
    case, part = CASES[s.case]
    if clickhouse.fetch(part):
        case(s)


scenario.run(main, list(CASES))
