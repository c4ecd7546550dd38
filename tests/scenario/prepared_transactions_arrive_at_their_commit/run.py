#!/usr/bin/env python3
"""A slot with two_phase sends transactions when they are prepared. They are seen at the target when they commit, and only then, also when
pgconvoy is killed in between; what is rolled back is never seen. A slot without it sends them at their commit."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

TABLES = "CREATE TABLE items (id int PRIMARY KEY, n int, note text); CREATE PUBLICATION ours FOR TABLE items; INSERT INTO items VALUES (0, 0, 'first');"
# The large ones are streamed before they are prepared.
PREPARE = """
BEGIN; INSERT INTO items VALUES (1, 1, 'small'); SAVEPOINT a; INSERT INTO items VALUES (2, 2, 'no'); ROLLBACK TO a; UPDATE items SET n = 5 WHERE id = 0;
PREPARE TRANSACTION 'small';
BEGIN; INSERT INTO items SELECT i, i, 'large' FROM generate_series(10001, 12000) AS i; UPDATE items SET n = n + 1 WHERE id > 11000; PREPARE TRANSACTION 'large';
BEGIN; INSERT INTO items SELECT i, i, 'no' FROM generate_series(20001, 22000) AS i; PREPARE TRANSACTION 'large, given up';
BEGIN; INSERT INTO items VALUES (3, 3, 'no'); PREPARE TRANSACTION 'small, given up';
"""
END = "COMMIT PREPARED 'large'; ROLLBACK PREPARED 'large, given up'; COMMIT PREPARED 'small'; ROLLBACK PREPARED 'small, given up';"


def main(s):
    source = s.server({"max_prepared_transactions": "10", "logical_decoding_work_mem": "64kB"})
    source.sql(TABLES)
    target = s.target("postgres")
    two_phase = "true" if s.case == "two_phase" else "false"
    source.sql(f"SELECT pg_create_logical_replication_slot('ours', 'pgoutput', false, {two_phase})")
    options = ["--name", "it", "--publication", "ours", "--slot", "ours"]
    s.sync_until_caught_up(source.uri(), target, *options)

    run = s.sync(source.uri(), target, *options)
    source.sql(PREPARE)
    for number in range(3):
        source.sql(f"INSERT INTO items VALUES ({100 + number}, 0, 'beside')")
        scenario.wait_for(lambda: target.query("SELECT count(*) FROM items WHERE note = 'beside'") == str(number + 1), 60, "the stream goes on")
        if number == 1:
            run.stop()  # tells the slot how far it is, as a kill does not
        else:
            run.kill()
        run = s.sync(source.uri(), target, *options)
    assert target.query("SELECT count(*), sum(n) FROM items") == "4|0"
    source.sql(END)
    scenario.wait_for(lambda: target.query("SELECT count(*) FROM items WHERE note = 'small'") == "1", 60, "the prepared transactions arrive")
    s.equal(source, target)
    assert run.stop() == 0, run.error_tail()
    before = source.current_lsn()
    source.sql("INSERT INTO items VALUES (200, 0, 'after')")
    s.sync_until_caught_up(source.uri(), target, *options)
    s.equal(source, target)
    assert source.sql(f"SELECT confirmed_flush_lsn >= '{before}' FROM pg_replication_slots") == "t", "the slot stays behind"


scenario.run(main, cases=["two_phase", "at_commit"])
