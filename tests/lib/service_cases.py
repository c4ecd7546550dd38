"""What the scenarios of the hosted services share (bigquery_is_the_source, snowflake_is_the_source): tables with values of all kinds and changes to them, faults at each request in
turn, and kills under load. A target of theirs has into(NAME), which makes what follows go into another dataset or schema, and on_merge(TABLE, WHAT), which has what() called before each
merge into a table; the merge is refused when that says "refused".
"""
import os
import subprocess
import time

import scenario

LIB = os.path.join(scenario.TOP, "tests/lib")

TABLES = """
    CREATE TYPE mood AS ENUM ('sad', 'glücklich');
    CREATE DOMAIN price AS numeric(12,3);
    CREATE TABLE kinds (id bigint PRIMARY KEY, flag bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric(12,2), big numeric(60,30), exact numeric,
        p price, t text, v varchar(10), c char(4), bytes bytea, d date, at time, ts timestamp, tstz timestamptz, u uuid, j json, jb jsonb, feeling mood, r int4range,
        i interval, net inet, ai int[], at_ text[], ab bytea[], ad timestamptz[], aj jsonb[], o oid, x8 xid8);
    CREATE TABLE "Odd Name" ("select" int, "with space" text, "2nd" text, "quo""te" text, PRIMARY KEY ("select", "with space"));
    CREATE SCHEMA other; CREATE TABLE other.kinds (id int PRIMARY KEY, t text);
    CREATE TABLE bag (a int, b text, f float8); ALTER TABLE bag REPLICA IDENTITY FULL;
    CREATE TABLE large (id int PRIMARY KEY, body text, note text); ALTER TABLE large ALTER body SET STORAGE EXTERNAL;
    CREATE TABLE none ();
"""

KINDS = """
    INSERT INTO kinds (id) VALUES (:base);
    INSERT INTO kinds VALUES
     (:base + 1, true, -32768, -2147483648, -9223372036854775808, 'NaN', 'Infinity', -9999999999.99, 123456789012345678901234567890.123456789012345678901234567891,
      '123456789012345678901234567890123456789012345678901234567890.5', 123456789.125, E'tab\\tline\\n"quote" \\\\ ''apostrophe'' ü🐘', 'ten', 'ab', '\\x00ff80', '0001-01-01',
      '23:59:59.999999', '0001-01-01 00:00:00', '0001-01-01 00:00:00+00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"b": [1, 2.5, true, null], "a": {"x": "ü"}}',
      '{"n": 9223372036854775807, "u": 18446744073709551615, "f": 0.1}', 'glücklich', '[1,5)', '1 year 2 mons 3 days 04:05:06.7', '10.0.0.1/8', '{1,-2,3}',
      ARRAY['', 'NULL', 'a,b', '"', E'\\n'], ARRAY['\\x00'::bytea, ''], '{2026-01-01 00:00+00}', ARRAY['{"a": 1}'::jsonb, '[]'], 4294967295, '18446744073709551615'),
     (:base + 2, false, 32767, 2147483647, 9223372036854775807, 1e-45, 5e-324, 0.01, -0.000000000000000000000000000001, 'NaN', 0, '', '', '', '\\x', '9999-12-31',
      '00:00:00', '9999-12-31 23:59:59.999999', '9999-12-31 23:59:59.999999+00', '00000000-0000-0000-0000-000000000000', '"text"', '[]', 'sad', 'empty', '0', '::1', '{}', '{}',
      '{}', '{}', '{}', 0, '0');
"""


def sync(s, source, target, name="shop", **more):
    return s.sync_until_caught_up(source.uri(), target, "--name", name, seconds=120, **more)


def fill(source):
    source.sql(TABLES)
    source.sql("\\set base 0\n" + KINDS)
    source.sql("""INSERT INTO "Odd Name" VALUES (1, 'a', 'x', 'y'), (2, 'b', NULL, 'back`quote'); INSERT INTO other.kinds VALUES (1, 'other');
        INSERT INTO bag SELECT i % 3, 'x', 0.5 FROM generate_series(1, 10) AS i; INSERT INTO bag VALUES (NULL, NULL, 'NaN');
        INSERT INTO large SELECT i, repeat(md5(i::text), 200), 'n' FROM generate_series(1, 300) AS i; INSERT INTO none SELECT FROM generate_series(1, 3)""")


def change(source):
    source.sql("\\set base 1000\n" + KINDS)
    source.sql("""
        UPDATE kinds SET t = 'new', ai = NULL WHERE id = 1; UPDATE kinds SET jb = NULL WHERE id = 1001; DELETE FROM kinds WHERE id = 1000;
        BEGIN; DELETE FROM kinds WHERE id = 2; INSERT INTO kinds (id, t) VALUES (2, 'came again'); COMMIT;
        UPDATE large SET note = 'body unchanged' WHERE id < 10;
        UPDATE large SET id = id + 5000, note = 'moved' WHERE id BETWEEN 20 AND 30;
        BEGIN; UPDATE large SET id = -1 WHERE id = 40; UPDATE large SET id = 40 WHERE id = 41; UPDATE large SET id = 41 WHERE id = -1; COMMIT;
        BEGIN; DELETE FROM large WHERE id = 50; UPDATE large SET id = 50 WHERE id = 51; COMMIT;
        BEGIN; INSERT INTO large VALUES (9000, 'x', 'y'); DELETE FROM large WHERE id = 9000; COMMIT;
        BEGIN; INSERT INTO large VALUES (9001, 'rolled back', ''); ROLLBACK;
        UPDATE "Odd Name" SET "with space" = 'c' WHERE "select" = 1;
        DELETE FROM bag WHERE ctid = (SELECT min(ctid) FROM bag WHERE a = 1); UPDATE bag SET b = 'changed' WHERE a = 2; DELETE FROM bag WHERE a IS NULL;
        INSERT INTO bag VALUES (1, 'x', 0.5); INSERT INTO none SELECT;
        BEGIN; INSERT INTO other.kinds VALUES (2, 'goes'); TRUNCATE other.kinds; INSERT INTO other.kinds VALUES (3, 'stays'); COMMIT""")


def schema_changes(s, source, target, same, sweep):
    """Columns come, go and are renamed in the midst of changes, also when it is cut off before the commit, or right after it. sweep(target) removes what was left then."""
    merges = []

    def refuse_first():
        merges.append("refused" if not merges else "")
        return merges[-1]

    def kill_first():
        if not merges:
            running.kill()
        merges.append("")

    source.sql("""
        BEGIN; INSERT INTO large (id, note) VALUES (7001, 'before'); ALTER TABLE large ADD COLUMN added int DEFAULT 7, ADD COLUMN good bool DEFAULT true,
        ADD COLUMN word text DEFAULT 'it''s'; INSERT INTO large (id, added) VALUES (7002, 5); UPDATE large SET added = 6 WHERE id = 1; COMMIT;
        ALTER TABLE large RENAME COLUMN note TO remark; INSERT INTO large (id, remark) VALUES (7003, 'renamed');
        BEGIN; UPDATE large SET remark = 'r' WHERE id = 2; ALTER TABLE large DROP COLUMN added; UPDATE large SET remark = 's' WHERE id = 3; COMMIT;
        ALTER TABLE other.kinds ALTER id TYPE bigint; INSERT INTO other.kinds VALUES (12345678901, 'wide')""")
    target.on_merge("large", refuse_first)
    s.sync(source.uri(), target, "--name", "shop", "--until", "caught-up").fails(says="refused by the test", seconds=120)
    sync(s, source, target)
    sweep(target)
    same(s, source, target)
    assert len(merges) > 1
    merges.clear()
    source.sql("ALTER TABLE large RENAME COLUMN word TO term; UPDATE large SET term = 'y' WHERE id = 5; ALTER TABLE large DROP COLUMN good;"
               "UPDATE large SET term = 'z' WHERE id = 6; ALTER TABLE large RENAME TO larger;"
               "INSERT INTO larger (id, term) VALUES (8001, 'after'); ALTER TABLE larger RENAME TO large; UPDATE large SET term = 'x' WHERE id = 4;"
               "ALTER TABLE other.kinds RENAME TO sorts; INSERT INTO other.sorts VALUES (77, 'of another name')")
    target.on_merge("large", kill_first)
    running = s.sync(source.uri(), target, "--name", "shop", "--until", "caught-up")
    running.wait()
    target.on_merge(None, None)
    sync(s, source, target)
    sweep(target)
    same(s, source, target)
    assert running.status == -9 and sorted(target.fields("public", "large")) == ["body", "id", "remark", "term"], target.fields("public", "large")


def names_of_history_are_taken(s, source, target, column):
    """A column of the name that one of history's own has is refused by name, before anything is made."""
    source.sql(f'CREATE TABLE clash (id int PRIMARY KEY, "{column}" text)')
    s.sync(source.uri(), target, "--name", "clash", "-t", "clash", "--until", "caught-up").fails(
        says=(f'column "{column}" of table public.clash', "mode=history"), seconds=120)
    assert "clash" not in target.tables()


def type_rows(base):
    """SQL of every value of every type, also of those that a service keeps as text only."""
    text = f"\\set base {base}\n"
    for name in ("types_rows.sql", "types_as_text.sql"):
        with open(os.path.join(LIB, name), encoding="utf-8") as file:
            text += file.read()
    return text


def all_types(s, source, target):
    """Every value of every type, kept as text where the service's types do not reach."""
    with open(os.path.join(LIB, "types.sql"), encoding="utf-8") as file:
        source.sql(file.read())
    source.sql(type_rows(0))
    tables = [table for table in source.tables() if table[1] != "zero"]
    sync(s, source, target)
    s.equal(source, target, tables=tables)
    source.sql(type_rows(1000))
    source.sql("UPDATE types.texts SET v = v WHERE id > 1000; UPDATE types.arrays SET id = id + 10000 WHERE id > 1001;"
               "UPDATE types.own SET p = p WHERE id > 1000; DELETE FROM types.times WHERE id = 1000")
    sync(s, source, target)
    s.equal(source, target, tables=tables)


def faults(s, source, target, ways, full, forgiven=()):
    """Whatever request fails, in whatever way, nothing is lost and nothing comes twice: in two of them, or (full) in each in turn, each way by and by.

    FAULTS_EVERY=N has only each Nth request fail, from a random one on. A run may end at errors of the codes in forgiven, which no client repeats; it is started again then."""
    service = target.service
    source.sql("CREATE TABLE IF NOT EXISTS counted (id int PRIMARY KEY, v text); CREATE TABLE IF NOT EXISTS bag (a int, b text); ALTER TABLE bag REPLICA IDENTITY FULL;"
               "INSERT INTO counted SELECT i, 'v' FROM generate_series(1, 50) AS i; INSERT INTO bag SELECT i % 2, 'x' FROM generate_series(1, 6) AS i")

    def run(name, code):
        ran = s.sync(source.uri(), target, "--name", name, "--until", "caught-up")
        ran.wait(120)
        if ran.status != 0 and code in forgiven:
            ran = s.sync(source.uri(), target, "--name", name, "--until", "caught-up")
        ran.ok(120)

    def once(round_, name, code=None):
        """A copy and a stream, both of which have changes."""
        run(name, code)
        source.sql(f"INSERT INTO counted VALUES ({1000 + round_}, 'new'); UPDATE counted SET v = v || '+' WHERE id <= 3; INSERT INTO bag VALUES ({round_}, 'y'), (0, 'x');"
                   "DELETE FROM bag WHERE ctid = (SELECT min(ctid) FROM bag WHERE a = 0)")
        run(name, code)
        s.equal(source, target)

    target.into("shop0")
    before = service.requests
    once(0, "whole")
    requests = service.requests - before
    round_ = 0
    every = int(os.environ.get("FAULTS_EVERY", "1"))
    for number in range(s.random.randrange(every) + 1, requests + 1, every) if full else sorted(s.random.sample(range(1, requests + 1), 2)):
        round_ += 1
        kind, code, reason = ways[round_ % len(ways)] if full else s.random.choice(ways)
        target.into(f"shop{round_}")
        service.fault(service.requests + number, kind, code, reason)
        try:
            once(round_, f"fault{round_}", code)
        except AssertionError as problem:
            raise AssertionError(f"request {number} of {requests} ({service.log[-1]}) failing {kind} {code} {reason}: {problem}")
        assert not [fault for fault in service.faults if fault <= service.requests], "the fault was not met"
        service.faults.clear()
        s.pgconvoy("drop", source.uri(), target.uri, "--name", f"fault{round_}").ok()
        if full:
            source.sql("DELETE FROM counted WHERE id > 1000")
    print(f"{round_} faults in {requests} requests")


def kills(s, source, target, count=20):
    """Killed after any request, and while the service still works for the one that was killed, the source under load."""
    source.sql("CREATE TABLE counted (id int PRIMARY KEY, n bigint NOT NULL, pad text); CREATE TABLE log (id bigserial PRIMARY KEY, of int, at timestamptz DEFAULT now());"
               "INSERT INTO counted SELECT i, 0, repeat('x', 100) FROM generate_series(1, 2000) AS i")
    script = os.path.join(s.folder, "load.sql")
    with open(script, "w") as file:
        file.write("\\set id random(1, 2000)\nBEGIN;\nUPDATE counted SET n = n + 1 WHERE id = :id;\nINSERT INTO log (of) VALUES (:id);\nEND;\n")
    load = subprocess.Popen([scenario.client("pgbench"), "-n", "-f", script, "-c", "2", "-R", "200", "-T", "600", source.socket_conninfo()],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(count):
            run = s.sync(source.uri(), target, "--name", "shop")
            until, latest = target.service.requests + s.random.randrange(1, 50), time.monotonic() + 20
            while run.running() and target.service.requests < until and time.monotonic() < latest:
                time.sleep(0.01)
            assert run.running(), run.error_tail()
            run.kill()
    finally:
        load.terminate()
        load.wait()
    sync(s, source, target)
    s.equal(source, target)
    total = int(source.sql("SELECT sum(n) FROM counted"))
    assert total > 1000 and total == int(source.sql("SELECT count(*) FROM log")), total
    print(f"{total} transactions, {target.service.requests} requests")
