#!/usr/bin/env python3
"""A thousand transactions that are all in progress at the same time, sent in progress and kept aside; they end in another order than they
began in, half of them rolled back, some with a subtransaction that was: all that was committed is there, nothing else, and memory stays in
its bounds."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

COUNT = 1000
MEMORY = 64
ALLOWANCE = 64


def transaction(number):
    """Prepared, so that one session can have a thousand of them open."""
    rows = f"SELECT {number} * 1000 + i, repeat(md5(i::text), 10) FROM generate_series"
    back = f"SAVEPOINT a; INSERT INTO items {rows}(500, 540) AS i; ROLLBACK TO a;" if number % 3 == 0 else ""
    return f"BEGIN; INSERT INTO items {rows}(1, 30) AS i; {back} UPDATE items SET note = 'new' WHERE id = {number} * 1000 + 5; PREPARE TRANSACTION 't{number}';\n"


def main(s):
    source = s.server({"logical_decoding_work_mem": "64kB", "max_prepared_transactions": str(COUNT + 10)})
    source.sql("CREATE TABLE items (id int PRIMARY KEY, note text)")
    target = s.target()
    options = ["--name", "many", "--memory", f"{MEMORY}MB"]
    s.sync_until_caught_up(source.uri(), target, *options)
    base = s.runs[-1].peak_rss
    run = s.sync(source.uri(), target, *options)
    scenario.wait_for(lambda: source.sql("SELECT active FROM pg_replication_slots") == "t", 60, "the stream begins")
    source.sql("".join(transaction(number) for number in range(COUNT)))
    ends = [f"{s.random.choice(['COMMIT', 'ROLLBACK'])} PREPARED 't{number}';\n" for number in range(COUNT)]
    s.random.shuffle(ends)
    source.sql("".join(ends))
    end = source.current_lsn()
    source.sql("CHECKPOINT")
    scenario.wait_for(lambda: not run.running() or source.sql(f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots") == "t",
                      100, "all of it is durable in the target")
    assert run.stop() == 0, run.error_tail()
    assert int(source.sql("SELECT stream_txns FROM pg_stat_replication_slots")) > COUNT // 2, "they were not sent in progress"
    s.equal(source, target)
    run.stays_below(max(base, 20 << 20) + ((MEMORY + ALLOWANCE) << 20))


scenario.run(main, cases=["postgres"])
