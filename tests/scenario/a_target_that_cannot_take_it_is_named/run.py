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


def guarded(s):
    """Row-level security would meet what a role writes: said before a slot is made, and before what was made is copied into."""
    source = s.server()
    source.sql("CREATE TABLE items (id int PRIMARY KEY, n int); INSERT INTO items VALUES (0, 0); ALTER TABLE items ENABLE ROW LEVEL SECURITY; ALTER TABLE items FORCE ROW LEVEL SECURITY; CREATE POLICY all_of_it ON items USING (true)")
    target = s.target("postgres", server=s.server())
    target.query("CREATE ROLE plain LOGIN; GRANT CREATE ON DATABASE target TO plain; GRANT ALL ON SCHEMA public TO plain")
    target.uri = target.server.uri("target", user="plain")
    words = ["row-level security", "public.items", "BYPASSRLS"]
    s.sync(source.uri(), target, "--name", "it", "--until", "caught-up").fails(1, words)
    assert not source.slots() and target.query("SELECT to_regclass('items') IS NULL") == "t", "something was made"
    source.sql("ALTER TABLE items NO FORCE ROW LEVEL SECURITY")
    s.sync_until_caught_up(source.uri(), target, "--name", "it")
    target.query("ALTER TABLE items FORCE ROW LEVEL SECURITY")
    source.sql("INSERT INTO items VALUES (1, 1)")
    s.sync(source.uri(), target, "--name", "it", "--until", "caught-up").fails(1, words)
    check = s.pgconvoy("check", source.uri(), target.uri, "--name", "another", "--if-exists", "append")
    assert check.wait(60) == 3 and "BYPASSRLS" in check.stdout, check.stdout
    target.query("ALTER ROLE plain BYPASSRLS")
    s.sync_until_caught_up(source.uri(), target, "--name", "it")
    s.equal(source, target)


def broken(s):
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


scenario.run(lambda s: {"broken": broken, "guarded": guarded}[s.case](s), cases=["broken", "guarded"])
