#!/usr/bin/env python3
"""A target that was made read-only, that lost a table, or whose column is of another type: one sentence with the mend, nothing is lost, and the
same command goes on after the mend."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario

BREAKS = [
    ("ALTER DATABASE target SET default_transaction_read_only = on", ["read-only", "default_transaction_read_only = off"],
     "SET default_transaction_read_only = off; ALTER DATABASE target RESET default_transaction_read_only"),
    ("ALTER TABLE items RENAME TO away", ["public.items is not on the target", "create it there"], "ALTER TABLE away RENAME TO items"),
    ("ALTER TABLE items ALTER n TYPE boolean USING n > 0", ["public.items", "column"], "ALTER TABLE items ALTER n TYPE int USING CASE WHEN n THEN 100000 ELSE 0 END"),
]


def main(s):
    source = s.server()
    source.sql("CREATE TABLE items (id int PRIMARY KEY, n int); INSERT INTO items VALUES (0, 0)")
    target = s.target("postgres")
    s.sync_until_caught_up(source.uri(), target, "--name", "it")
    for number, (damage, words, mend) in enumerate(BREAKS):
        target.query(damage)
        source.sql(f"INSERT INTO items VALUES ({number + 1}, 100000)")
        s.sync(source.uri(), target, "--name", "it", "--until", "caught-up").fails(1, words)
        target.query(mend)
        s.sync_until_caught_up(source.uri(), target, "--name", "it")
        s.equal(source, target)


scenario.run(main)
