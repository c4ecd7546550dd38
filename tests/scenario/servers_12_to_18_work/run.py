#!/usr/bin/env python3
"""A copy and a stream from each server version, into standard output and DuckDB."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t (id int PRIMARY KEY, n numeric(12,3), at timestamptz, tags text[], doc jsonb, feeling mood, big text);
CREATE TABLE parted (id int, part int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);
"""

FILL = """
INSERT INTO t SELECT i, i / 7.0, '2026-01-01 00:00:00Z'::timestamptz + i * interval '1 hour', ARRAY['a', 'b' || i, NULL],
    jsonb_build_object('i', i), (ARRAY['sad', 'ok', 'happy'])[1 + i % 3]::mood,
    (SELECT string_agg(md5((i * 100 + j)::text), '') FROM generate_series(1, 100) AS j)
    FROM generate_series({0} + 1, {0} + 200) AS i;
INSERT INTO parted SELECT i, 1 + i % 2 FROM generate_series({0} + 1, {0} + 200) AS i;
"""

CHANGES = """
UPDATE t SET n = n + 1 WHERE id % 2 = 0;
UPDATE t SET id = id + 10000 WHERE id % 10 = 0;
DELETE FROM t WHERE id % 7 = 0;
UPDATE parted SET part = 3 - part WHERE id % 5 = 0;
BEGIN; INSERT INTO t (id) SELECT i FROM generate_series(50001, 70000) AS i; SAVEPOINT a;
INSERT INTO t (id) SELECT i FROM generate_series(80001, 90000) AS i; ROLLBACK TO a; COMMIT;
"""


# no row follows: the source's event triggers tell of them
DEFINITIONS = "ALTER TABLE t ADD COLUMN added int DEFAULT 7; ALTER TABLE t RENAME COLUMN doc TO document;"


def main(s):
    source = s.server({"logical_decoding_work_mem": "64kB"} if s.case != "12" else {}, binaries=scenario.embedded_postgres(s.case))
    assert source.version == int(s.case)
    source.sql(TABLES + FILL.format(0))
    for kind in ("stdout", "duckdb"):
        target = s.target(kind)
        name = "v" + s.case + kind
        s.sync_until_caught_up(source.uri(), target, "--name", name)
        s.equal(source, target)
        source.sql(FILL.format(1000 if kind == "stdout" else 2000) + (CHANGES if kind == "stdout" else "TRUNCATE parted;" + DEFINITIONS))
        s.sync_until_caught_up(source.uri(), target, "--name", name)
        s.equal(source, target)
        s.pgconvoy("drop", name).ok()
    assert source.publications() == [] and source.slots() == {} and source.sql("SELECT count(*) FROM pg_event_trigger") == "0"


scenario.run(main, cases=[str(major) for major in range(12, 19)])
