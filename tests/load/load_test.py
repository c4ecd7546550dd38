#!/usr/bin/env python3
"""A load made by chance (workload.py), streamed into PostgreSQL while pgconvoy is killed and both servers are restarted; equal at the end:

    tests/load/load_test.py [--seconds 600] [--seed N] [--round 20] [--sessions 4] [--calm] [--stream-only] [--keep]
                            [--apply-jobs N] [--backlog]

Every --round seconds the load pauses, the stream catches up, and every row of every table is compared; then there are other tables.
With --backlog nobody reads while the load runs: again and again some 19 MB of WAL are made, and then read at once, with a kill in between.
The seed decides on tables, statements and moments, and is printed; each round prints its own, to be run alone with --seconds 0.
KEEP=1 keeps the scratch folder of a failure.
"""
import argparse
import collections
import os
import random
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import scenario
from workload import Workload

SOURCE = {"logical_decoding_work_mem": "64kB", "max_connections": "60"}


class Round:
    """One set of tables, from an empty pipeline to equality."""

    def __init__(self, s, source, target_server, seed, sessions, calm, stream_only=False, apply_jobs=1):
        self.s, self.source, self.target_server, self.seed, self.sessions, self.calm = s, source, target_server, seed, sessions, calm
        self.stream_only, self.apply_jobs = stream_only, apply_jobs
        self.rng = random.Random(seed)
        self.name = f"load{len(s.runs)}"
        self.tally = collections.Counter()
        self.run = None

    def _start(self):
        memory = ["--memory", self.rng.choice(["64MB", "256MB"])]
        self.run = self.s.sync(self.source.uri(self.name), self.target, "--name", self.name, *self.options, *memory)

    def _see_that_it_runs(self):
        """It heals by itself whatever is restarted; ended, it has failed. Only what comes before its first word is not tried again."""
        lost = ("cannot connect", "server closed the connection", "terminating connection", "the database system is")
        if not self.run.running() and " info: " not in self.run.stderr and any(words in self.run.stderr for words in lost):
            self._start()
        if not self.run.running():
            raise AssertionError(f"it ended by itself with status {self.run.status}\n{self.run.error_tail()}")

    def _stop(self):
        """Status 0, but where nothing was begun yet, or the wait for a slot was cut short."""
        status = self.run.stop()
        assert status == 0 or status == -signal.SIGTERM or "was interrupted" in self.run.last_line(), \
            f"it ended with status {status} when asked to stop\n{self.run.error_tail()}"

    def _disturb(self):
        what = self.rng.choice(["kill", "kill", "stop", "source", "target", "crash of the source", "crash of the target"])
        self._see_that_it_runs()
        self.tally[what] += 1
        if what == "kill":
            self.run.kill()
            self._start()
        elif what == "stop":
            self._stop()
            self._start()
        else:
            server = self.source if "source" in what else self.target_server
            server.restart("immediate" if "crash" in what else "fast")

    def _prepare(self):
        workload = Workload(self.seed)
        schema = workload.schema()
        self.source.create_database(self.name, schema + workload.fill())
        self.target = self.s.target("postgres", self.target_server, name=self.name + "_copy")
        self.options = ["--apply-jobs", self.apply_jobs] if self.apply_jobs > 1 else []
        constrained = self.rng.random() < 0.7
        if constrained:  # the source's constraints on the target as well
            self.target_server.sql(schema, self.target.database)
            self.options += ["--if-exists", "append"]
        return workload, constrained

    def _catch_up(self):
        self.s.sync_until_caught_up(self.source.uri(self.name), self.target, "--name", self.name, *self.options, seconds=300)

    def play_backlog(self, seconds):
        workload, constrained = self._prepare()
        self._catch_up()
        self.options += ["--log-level", "debug"]
        before = len(self.s.runs)
        end = time.monotonic() + seconds
        sessions = self.rng.randint(1, self.sessions)
        workload.start(self.source, sessions, self.name)
        try:
            while True:
                begun = self.source.current_lsn()
                grown = lambda: self.source.sql(f"SELECT pg_current_wal_lsn() - '{begun}' > 19000000") == "t"
                scenario.wait_for(lambda: grown() or time.monotonic() > end + 30, 120, "there is a backlog")
                workload.pause()
                for _ in range(0 if self.calm else self.rng.choice([0, 1, 2])):
                    self._start()
                    time.sleep(self.rng.uniform(0.1, 0.6))
                    self.run.kill()
                self._catch_up()
                self.s.equal(self.source, self.target, database=self.name)
                if time.monotonic() > end:
                    break
                workload.resume()
        finally:
            workload.stop()
        for what in ("before its commit was read", "is taken back"):
            self.tally[what] = sum(run.stderr.count(what) for run in self.s.runs[before:])
        self._clean_up()
        print(f"seed {self.seed}: equal after {workload.sent} transactions of {sessions} sessions on {len(workload.tables)} tables"
              f"{' with constraints on the target' if constrained else ''}, {dict(self.tally)}", flush=True)

    def play(self, seconds):
        workload, constrained = self._prepare()
        self._start()
        if self.rng.random() < 0.5 or self.stream_only:  # the load begins with the copy, or when that is done
            scenario.wait_for(lambda: not self.run.running() or "streaming changes" in self.run.stderr, 60, "the stream begins")
        self._see_that_it_runs()
        workload.start(self.source, self.sessions, self.name)
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                time.sleep(self.rng.uniform(0.2, min(4, seconds / 2)))
                if not self.calm:
                    self._disturb()
            workload.pause()
            self._see_that_it_runs()
            if self.rng.random() < 0.5:
                self.run.kill()
            else:
                self._stop()
            self._catch_up()
            self.s.equal(self.source, self.target, database=self.name)
        finally:
            workload.stop()
        self._clean_up()
        by_row = self.s.runs[-1].stderr.count("one by one")
        print(f"seed {self.seed}: equal after {workload.sent} transactions on {len(workload.tables)} tables"
              f"{' with constraints on the target' if constrained else ''}, {dict(self.tally)}{', one by one' if by_row else ''}", flush=True)

    def _clean_up(self):
        self.s.pgconvoy("drop", self.source.uri(self.name), self.target.uri, "--name", self.name).ok()
        self.source.sql(f"DROP DATABASE {self.name} (FORCE)")
        self.target_server.sql(f"DROP DATABASE {self.target.database} (FORCE)")


def play(s, seed, seconds, round_seconds, sessions=4, calm=False, stream_only=False, apply_jobs=1, backlog=False):
    source = s.server(SOURCE)
    target_server = s.server()
    end = time.monotonic() + seconds
    while True:
        round = Round(s, source, target_server, seed, sessions, calm, stream_only, apply_jobs)
        (round.play_backlog if backlog else round.play)(min(round_seconds, max(2, end - time.monotonic())))
        seed += 1
        if time.monotonic() >= end:
            return


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=int, default=60)
    options.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    options.add_argument("--round", type=int, default=20)
    options.add_argument("--sessions", type=int, default=4)
    options.add_argument("--calm", action="store_true", help="no kills, no restarts")
    options.add_argument("--stream-only", action="store_true", help="load and faults begin when the copy is done")
    options.add_argument("--keep", action="store_true")
    options.add_argument("--apply-jobs", type=int, default=1, help="so many connections apply changes")
    options.add_argument("--backlog", action="store_true", help="the load is over before it is read")
    options = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"seed {options.seed}, {options.seconds} s", flush=True)
    s = scenario.Scenario("postgres")
    ok = False
    try:
        play(s, options.seed, options.seconds, options.round, options.sessions, options.calm, options.stream_only, options.apply_jobs, options.backlog)
        ok = True
    except (AssertionError, RuntimeError) as problem:
        print(f"FAILED: {problem}")
        s.report()
    finally:
        s.close(keep=(options.keep or bool(os.environ.get("KEEP"))) and not ok)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
