"""The frame of a scenario: a scratch folder, servers and commands that are ended whatever happens, and the comparisons.

A scenario is a folder tests/scenario/WHAT_HOLDS/ with a run.py that ends in `scenario.run(main)`, or in
`scenario.run(main, cases=[…])` when the same holds for several targets or servers. It can be run alone:

    tests/scenario/truncate_reaches_the_target/run.py [CASE…]

Set KEEP=1 to keep the scratch folder. SCENARIO_SINKS="bigquery snowflake" runs what holds for several sinks for these instead, against their stand-ins.
"""
import contextlib
import glob
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from clickhouse import ClickhouseServer, ClickhouseTarget
from command import PGCONVOY, Run
from proxy import Proxy
from server import TOP, Server, client, embedded_postgres, quote_ident, wait_for  # noqa: F401  (for the scenarios)
from targets import DuckdbTarget, PostgresTarget, StdoutTarget, sorted_rows

SCALE = int(os.environ.get("SCENARIO_SCALE", "1"))
SINKS = os.environ.get("SCENARIO_SINKS", "stdout duckdb postgres").split()


@contextlib.contextmanager
def mounted(folder, options, lazy=False):
    """A file system of its own (tmpfs) on the folder, which is made where it is missing. Needs root. lazy: something may still be open there at the end."""
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", *(["-l"] if lazy else []), folder], check=True)


class Scenario:
    def __init__(self, case=None):
        self.case = case
        self.folder = tempfile.mkdtemp(prefix="pgconvoy-test-")
        os.chmod(self.folder, 0o755)
        self.state = os.path.join(self.folder, "state")
        self.clickhouses = []
        self.servers, self.runs, self.proxies, self.sessions, self.loads, self.services = [], [], [], [], [], []
        seed = os.environ.get("SCENARIO_SEED")
        self.seed = int(seed) if seed else random.SystemRandom().randrange(1 << 32)
        self.random = random.Random(self.seed)

    # ---- what a scenario is made of

    def server(self, settings=None, binaries=None, initdb_options=()):
        server = Server(os.path.join(self.folder, f"server{len(self.servers)}"), settings, binaries, initdb_options)
        self.servers.append(server)
        return server

    def own_extensions(self, scripts, major=15):
        """A server's settings to have extensions that are made for the test, {name: SQL of their script}; that of 15 can make them, but does not list them as available, that of 18 does."""
        folder = os.path.join(self.folder, "extensions")
        place = os.path.join(folder, "usr/share/postgresql/15/extension")
        os.makedirs(place)
        for name, script in scripts.items():
            for file_name, text in ((f"{name}.control", "default_version = '1'\nrelocatable = false\n"), (f"{name}--1.sql", script)):
                with open(os.path.join(place, file_name), "w") as file:
                    file.write(text)
        subprocess.run(["chmod", "-R", "a+rX", self.folder], check=True)
        return {"extension_destdir": f"'{folder}'"} if major == 15 else {"extension_control_path": f"'{os.path.dirname(place)}:$system'"}

    def standby(self, primary, settings=None):
        """A standby of it, by a cold copy: the embedded servers have no pg_basebackup."""
        primary.stop()
        standby = primary.cold_copy({"primary_slot_name": "standby", "hot_standby_feedback": "on", "wal_receiver_status_interval": "1s", **(settings or {})})
        primary.start()
        primary.sql("SELECT pg_create_physical_replication_slot('standby')")
        self.servers.append(standby)
        standby.start()
        return standby

    def target(self, kind=None, server=None, name="target"):
        """A fresh target of this kind (the scenario's case when none is given)."""
        kind = kind or self.case
        if kind in ("clickhouse", "clickhouse-server"):
            part = "server" if kind.endswith("server") else "chdb"
            return ClickhouseTarget(next((c for c in self.clickhouses if c.part == part), None) or self.clickhouse(part), name)
        if kind == "duckdb":
            return DuckdbTarget(os.path.join(self.folder, name + ".duckdb"))
        if kind == "stdout":
            return StdoutTarget(os.path.join(self.folder, name + ".jsonl"))
        if kind in ("bigquery", "snowflake"):
            return self.service(kind, name)
        server = server or self.servers[0]
        server.sql(f"CREATE DATABASE {name}")
        return PostgresTarget(server, name)

    def clickhouse(self, part="chdb", grants=None):
        """A ClickHouse server of this scenario's."""
        server = ClickhouseServer(os.path.join(self.folder, f"clickhouse{len(self.clickhouses)}"), part, grants)
        self.clickhouses.append(server)
        return server

    def service(self, kind, name="target", **options):
        """A stand-in for a hosted service, for this scenario only; imported where it is used, as it needs DuckDB."""
        folder = os.path.join(self.folder, f"service{len(self.services)}")
        os.mkdir(folder)
        target = {"bigquery": _bigquery, "snowflake": _snowflake}[kind](folder, self.seed, options)
        target.into(name)
        self.services.append(target)
        return target

    def proxy(self, server):
        proxy = Proxy(server.port)
        self.proxies.append(proxy)
        return proxy

    def pgconvoy(self, *arguments, target=None, **options):
        """Starts the command. With target a standard output target gets its lines; bare leaves out --state-dir."""
        if target is not None and target.name == "stdout":
            options["stdout"] = target.path
        bare = options.pop("bare", False) or "--state-dir" in arguments or arguments[0].startswith("-")
        state = [] if bare else ["--state-dir", self.state]
        run = Run([*arguments, *state], self.folder, **options)
        self.runs.append(run)
        return run

    def sync(self, source_uri, target, *options, **more):
        return self.pgconvoy("sync", source_uri, target.uri, *options, target=target, **more)

    def sync_until_caught_up(self, source_uri, target, *options, seconds=120, **more):
        return self.sync(source_uri, target, *options, "--until", "caught-up", **more).ok(seconds)

    def session(self, server, text, database="postgres"):
        session = server.session(text, database)
        self.sessions.append(session)
        return session

    def end_session(self, session):
        session.stdin.close()
        session.wait()
        self.sessions.remove(session)

    def load(self, load):
        self.loads.append(load)
        return load

    # ---- what must hold

    def equal(self, source, target, database="postgres", tables=None, columns=None, where=""):
        """Every row of every table is the same at both ends, no more and no fewer."""
        for schema, table in tables or source.tables(database):
            shape = columns or source.columns(schema, table, database)
            if not shape:
                continue
            there = target.rows(schema, table, shape)
            here = target.source_rows(source, database, schema, table, shape, where)
            self.same_rows(f"{schema}.{table}", here, there, shape)

    @staticmethod
    def same_rows(what, here, there, shape=None):
        here, there = sorted_rows(here), sorted_rows(there)
        if here == there:
            return
        missing = _minus(here, there)
        extra = _minus(there, here)
        text = [f"{what}: {len(here)} rows at the source, {len(there)} at the target; "
                f"{len(missing)} missing, {len(extra)} too many"]
        if shape and missing and extra and isinstance(missing[0], tuple):
            for at, (name, pg_type) in enumerate(shape):
                if missing[0][at] != extra[0][at]:
                    text.append(f"  column {name} ({pg_type}): source {str(missing[0][at])[:200]!r}, "
                                f"target {str(extra[0][at])[:200]!r}")
        text += [f"  missing: {str(row)[:400]}" for row in missing[:3]]
        text += [f"  too many: {str(row)[:400]}" for row in extra[:3]]
        raise AssertionError("\n".join(text))

    @staticmethod
    def nothing_left(source, target=None, database="postgres"):
        """Nothing was created at either end."""
        assert source.slots() == {}, f"slots were left: {source.slots()}"
        assert source.publications(database) == [], f"publications were left: {source.publications(database)}"
        if target is not None and target.name == "duckdb":
            assert not target.exists(), "the DuckDB file was left"
        if target is not None and target.name == "postgres":
            schemas = target.query("SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_' "
                                   "AND nspname NOT IN ('public', 'information_schema')")
            assert not target.exists() and schemas == "0", "tables or schemas were left in the target"

    # ---- the end

    def close(self, keep):
        for run in self.runs:
            if run.running():
                run.kill()
        for load in self.loads:
            load.stop()
        for session in self.sessions:
            session.kill()
            session.wait()
        for proxy in self.proxies:
            proxy.close()
        for server in self.servers:
            server.stop("immediate")
        for clickhouse in self.clickhouses:
            clickhouse.stop()
        for service in self.services:
            service.close()
        if keep:
            print(f"kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def report(self):
        """What the last command and the servers said, for a failure."""
        for run in self.runs[-2:]:
            print(f"--- {run} (status {run.status})\n{run.error_tail()}")
        for server in self.servers:
            if os.path.exists(server.log):
                lines = [line for line in open(server.log, errors="replace") if "FATAL" in line or "ERROR" in line or
                         "PANIC" in line]
                print("--- server log, errors\n" + "".join(lines[-10:]))


def _bigquery(folder, _seed, options):
    from target_bigquery import BigqueryTarget
    return BigqueryTarget(folder, **options)


def _snowflake(folder, seed, options):
    from target_snowflake import SnowflakeTarget
    return SnowflakeTarget(folder, seed=seed, **options)


def _minus(left, right):
    """The items of left that are not in right, each as often as it is there more often."""
    import collections
    counts = collections.Counter(right)
    missing = []
    for item in left:
        if counts[item] > 0:
            counts[item] -= 1
        else:
            missing.append(item)
    return missing


def extension_settings(script):
    """A server's settings to have the extension that a script of scripts/ brings, and the folder it is in; (None, None), and SKIPPED is said, where it cannot be had."""
    done = subprocess.run([os.path.join(TOP, "scripts", script)], stdout=subprocess.PIPE, text=True)
    if done.returncode == 3:
        print("SKIPPED")
        return None, None
    assert done.returncode == 0, f"scripts/{script} failed"
    folder = done.stdout.strip()
    # parallel workers look for the library by the second alone
    return {"extension_destdir": f"'{folder}'", "dynamic_library_path": f"'$libdir:{folder}/usr/lib/postgresql/15/lib'"}, folder


def run(main, cases=(None,)):
    """Runs main(scenario) for the named cases, or all of them; exit status 1 when one failed."""
    arguments = sys.argv[1:]
    if arguments == ["--list"]:
        print("\n".join(case or "-" for case in cases))
        return
    if not os.path.exists(PGCONVOY):
        raise SystemExit(f"{PGCONVOY} is not there; run make build")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    failed = 0
    for case in cases:
        if arguments and (case or "-") not in arguments:
            continue
        scenario = Scenario(case)
        began = time.monotonic()
        ok = False
        try:
            main(scenario)
            ok = True
        except (AssertionError, RuntimeError, OSError, KeyError, ValueError, IndexError, subprocess.SubprocessError) as problem:
            failed += 1
            print(f"FAILED{' ' + case if case else ''}: {problem}")
            if not isinstance(problem, AssertionError):
                traceback.print_exc(limit=-4, file=sys.stdout)
            else:
                frames = traceback.extract_tb(problem.__traceback__)
                print("  " + " < ".join(f"{os.path.basename(os.path.dirname(frame.filename))}/"
                                        f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in reversed(frames)))
            print(f"  seed {scenario.seed}")
            scenario.report()
        finally:
            scenario.close(keep=bool(os.environ.get("KEEP")) and not ok)
        if ok:
            print(f"ok{' ' + case if case else ''} ({time.monotonic() - began:.1f} s)")
    sys.exit(1 if failed else 0)
