#!/usr/bin/env python3
"""
A pooler that gives each transaction another session of the server: what is set for us there would be met by applications, which would look for their tables
in our search_path, and have triggers and foreign keys switched off. It is refused before anything is set. A pool of whole sessions will do. A real PgBouncer.
"""
import os
import pwd
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lib"))
import scenario
from server import free_port

SETTINGS = """[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = {mode}
{more}
logfile = {folder}/log
"""
SHOWN = "SHOW search_path; SHOW session_replication_role; SHOW synchronous_commit; SHOW lock_timeout"


class Pool:
    """A PgBouncer before a server, and an application that uses it."""

    def __init__(self, s, server, mode, more=""):
        self.port = free_port()
        self.folder = os.path.join(s.folder, f"pool-{self.port}")
        os.mkdir(self.folder)
        with open(os.path.join(self.folder, "users"), "w") as users:
            users.write('"postgres" ""\n')
        with open(os.path.join(self.folder, "settings"), "w") as settings:
            settings.write(SETTINGS.format(server=server.port, port=self.port, folder=self.folder, mode=mode, more=more))
        user = pwd.getpwnam("postgres").pw_uid if os.geteuid() == 0 else None
        if user is not None:
            os.chown(self.folder, user, -1)
        self.process = subprocess.Popen(["/usr/sbin/pgbouncer", "-q", os.path.join(self.folder, "settings")], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, user=user)
        scenario.wait_for(lambda: self.ask("SELECT 1", check=False) == "1", 30, "the pooler answers")

    def uri(self, database):
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def ask(self, sql, database="postgres", check=True):
        done = subprocess.run([scenario.client("psql"), "-X", "-q", "-At", "-d", self.uri(database), "-c", sql], text=True, capture_output=True)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)


def begin(s):
    source, target = s.server(), s.target("postgres", server=s.server())
    source.sql("CREATE TABLE t (id int PRIMARY KEY, value text); INSERT INTO t SELECT i, 'x' FROM generate_series(1, 1000) AS i")
    return source, target


def transactions(s):
    source, target = begin(s)
    archive = os.path.join(s.folder, "archive")
    s.pgconvoy("dump", "-Fc", "-f", archive, source.uri(), bare=True).ok()
    for more in ("", "server_round_robin = 1"):
        with Pool(s, source, "transaction", more) as near, Pool(s, target.server, "transaction", more) as far:
            for pool, database in ((near, "postgres"), (far, target.database)):
                pool.ask("SELECT pg_sleep(0)", database)
            before = near.ask(SHOWN), far.ask(SHOWN, target.database)
            runs = [
                ("at the source", ("sync", near.uri("postgres"), target.uri)), ("at the target", ("sync", source.uri(), far.uri(target.database))),
                ("of a copy", ("copy", source.uri(), far.uri(target.database))), ("of a dump", ("dump", "-f", os.path.join(s.folder, "dump"), near.uri("postgres"))),
                ("of a restore", ("restore", "-d", far.uri(target.database), archive)), ("that verify meets", ("verify", source.uri(), far.uri(target.database))), ("of a subscription", ("subscribe", source.uri(), far.uri(target.database))),
            ]
            for what, words in runs:
                s.pgconvoy(*words, bare=words[0] in ("dump", "restore")).fails(says=("pooler", "each transaction another session", "session mode"))
                assert (near.ask(SHOWN), far.ask(SHOWN, target.database)) == before, what
            run = s.pgconvoy("check", near.uri("postgres"), far.uri(target.database))
            assert run.wait() == 3 and run.stdout.count("each transaction another session") >= 2, f"status {run.status}: {run.stdout}{run.stderr}"
            assert (near.ask(SHOWN), far.ask(SHOWN, target.database)) == before, (near.ask(SHOWN), far.ask(SHOWN, target.database))
    left = target.query("SELECT to_regclass('t')"), source.slots()
    assert not any(left), left


def sessions(s):
    """It works; and what an application writes later in a session that was ours does not pass for ours."""
    source, target = begin(s)
    with Pool(s, target.server, "session", "default_pool_size = 10") as far:
        before = far.ask(SHOWN, target.database)
        for _ in range(2):
            run = s.pgconvoy("sync", source.uri(), far.uri(target.database), "--name", "pool", "--until", "caught-up").ok()
            source.sql("UPDATE t SET value = value || 'y'")
        assert "a pooler stands before it" in run.stderr, run.stderr
        assert far.ask(SHOWN, target.database) == before
        assert target.server.sql("SELECT count(*) FROM pg_replication_origin_status") == "0"
        s.pgconvoy("sync", source.uri(), far.uri(target.database), "--name", "pool", "--until", "caught-up").ok()
        s.pgconvoy("verify", source.uri(), far.uri(target.database)).ok()
    s.equal(source, target)


CASES = {"transactions": transactions, "sessions": sessions}
scenario.run(lambda s: CASES[s.case](s), cases=list(CASES))
