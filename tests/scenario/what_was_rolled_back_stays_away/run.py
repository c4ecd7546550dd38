#!/usr/bin/env python3
"""
A savepoint that is rolled back within a transaction that the server streams while it is in progress. Of one whose rows it had written to its own disk before, as it does when its memory
is full in the middle of a TOASTed row, the server does not tell that it was rolled back; a native subscription with streaming = on keeps such rows. Live, in a backlog, prepared.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

# Where in the server's memory the savepoint begins makes the difference.
SIZES = range(1000, 2000, 110)


def transaction(number, size, end):
    first = number * 100000
    rows = "repeat(md5(i::text), 250) FROM generate_series(1, {0}) AS i"
    return (f"BEGIN; INSERT INTO big SELECT {first} + i, {rows.format(size)}; SAVEPOINT a; INSERT INTO big SELECT -{first} - i, {rows.format(1100)}; ROLLBACK TO a; "
            f"SAVEPOINT b; INSERT INTO big VALUES ({first} + 99998, 'kept'); RELEASE b; INSERT INTO big VALUES ({first} + 99999, 'last'); {end.format(number)};")


def main(s):
    kind, when = s.case.split("-")
    binaries = scenario.embedded_postgres("18") if when == "newest" else None
    settings = {"logical_decoding_work_mem": "8MB", "max_prepared_transactions": 20}
    source = s.server(settings, binaries=binaries)
    target = s.target(kind, server=s.server(settings, binaries=binaries)) if kind == "postgres" else s.target(kind)
    source.sql("CREATE TABLE big (id int PRIMARY KEY, body text); ALTER TABLE big ALTER body SET STORAGE EXTERNAL")
    options = ("--name", "undone", *(["--two-phase"] if when == "prepared" else []))
    s.sync_until_caught_up(source.uri(), target, *options)
    end = "PREPARE TRANSACTION 'p{0}'; COMMIT PREPARED 'p{0}'" if when == "prepared" else "COMMIT"
    load = "".join(transaction(number, size, end) for number, size in enumerate(SIZES, 1))
    if when == "backlog":
        source.sql(load)
    else:
        run = s.sync(source.uri(), target, *options)
        scenario.wait_for(lambda: "streaming changes" in run.stderr or not run.running(), 60, "it streams")
        source.sql(load)
        lsn = source.current_lsn()
        scenario.wait_for(lambda: source.sql(f"SELECT bool_and(confirmed_flush_lsn >= '{lsn}') FROM pg_replication_slots") == "t" or not run.running(), 60, "it is durable")
        assert run.stop() == 0, run.error_tail()
    s.sync_until_caught_up(source.uri(), target, *options)
    assert source.sql("SELECT sum(stream_txns) > 0 FROM pg_stat_replication_slots") == "t", "nothing was streamed in progress"
    s.equal(source, target)


scenario.run(main, cases=["postgres-live", "postgres-backlog", "postgres-prepared", "postgres-newest", "duckdb-live"])
