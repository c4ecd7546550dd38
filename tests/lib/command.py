"""Runs the pgconvoy command, in the foreground or the background, and keeps what it wrote and used."""
import os
import re
import shlex
import signal
import subprocess
import threading
import time

from server import TOP, patient, wait_for

BUILD = os.environ.get("PGCONVOY_BUILD", os.path.join(TOP, "build"))
PGCONVOY = os.environ.get("PGCONVOY", os.path.join(BUILD, "pgconvoy"))


class Run:
    """One run of pgconvoy. stdout goes to a file (appended to when stdout is given), stderr to another. Any thread may wait for it or end it."""

    counter = 0

    def __init__(self, arguments, folder, stdout=None, env=None, limits=None, cwd=None):
        Run.counter += 1
        self.arguments = [str(argument) for argument in arguments]
        self.stdout_path = stdout or os.path.join(folder, f"run-{Run.counter}.out")
        self.stderr_path = os.path.join(folder, f"run-{Run.counter}.err")
        self.status = None
        self.rusage = None
        self.started = time.monotonic()
        self.seconds = None
        with open(self.stdout_path, "ab") as out, open(self.stderr_path, "wb") as err:
            self.process = subprocess.Popen([PGCONVOY, *self.arguments], stdout=out, stderr=err,
                                            stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})},
                                            preexec_fn=limits, cwd=cwd)
        self.pid = self.process.pid
        # A process is waited for once, and its pid is its own until then: a stand-in's thread kills what the test's own waits for.
        self.reaping = threading.RLock()

    def _reap(self, flags):
        with self.reaping:
            if self.status is None:
                pid, status, rusage = os.wait4(self.pid, flags)
                if pid:
                    self.seconds = time.monotonic() - self.started
                    self.status = os.waitstatus_to_exitcode(status)
                    self.process.returncode = self.status
                    self.rusage = rusage
            return self.status

    def running(self):
        return self._reap(os.WNOHANG) is None

    def wait(self, seconds=120):
        """The exit status (negative: the signal that ended it). Kills it and fails when the time is over."""
        seconds = patient(seconds)
        deadline = time.monotonic() + seconds
        while self.running():
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"did not end within {seconds} s: {self}\n{self.error_tail()}")
            time.sleep(0.01)
        return self.status

    def send(self, number):
        with self.reaping:
            if self.running():
                os.kill(self.pid, number)

    def kill(self):
        self.send(signal.SIGKILL)
        return self._reap(0)

    def stop(self, seconds=60):
        """SIGTERM, and the exit status. A signal before main has its handlers is nobody's."""
        wait_for(lambda: self.handles(signal.SIGTERM), 30, "it handles signals")
        self.send(signal.SIGTERM)
        return self.wait(seconds)

    def handles(self, number):
        """Whether this signal is caught, or blocked to be waited for (by the kernel's masks), or the run has ended already."""
        try:
            with open(f"/proc/{self.pid}/status") as file:
                masks = [int(line.split()[1], 16) for line in file if line.startswith(("SigCgt:", "SigBlk:"))]
        except OSError:
            masks = []
        return any(mask >> number - 1 & 1 for mask in masks) or not self.running()

    @property
    def stdout(self):
        with open(self.stdout_path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()

    @property
    def stderr(self):
        with open(self.stderr_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def error_tail(self):
        return self.stderr[-3000:]

    def says_only_its_own(self):
        """Nothing on standard error was printed by a library, or a server."""
        raw = [line for line in self.stderr.split("\n") if line and not re.match(r"\d{4}-\d\d-\d\d |pgconvoy: | ", line)]
        assert not raw, f"lines that are not ours: {raw}"

    def last_line(self):
        lines = [line for line in self.stderr.split("\n") if line.strip()]
        return lines[-1] if lines else ""

    @property
    def peak_rss(self):
        """Peak resident memory in bytes."""
        return self.rusage.ru_maxrss * 1024

    def stays_below(self, limit_bytes):
        """Peak resident memory is within the limit; a sanitizer's own memory would be measured with it, so it is not looked at then."""
        if os.environ.get("PGCONVOY_SANITIZER"):
            print(f"the bound on memory is not looked at under sanitizers: {self}")
            return
        assert self.peak_rss <= limit_bytes, f"peak resident memory {self.peak_rss >> 20} MB, more than {limit_bytes >> 20} MB: {self}"

    def ok(self, seconds=120):
        """Waits for exit status 0, or fails with what the command said."""
        status = self.wait(seconds)
        assert status == 0, f"exit status {status}: {self}\n{self.error_tail()}"
        return self

    def fails(self, status=1, says=(), seconds=60):
        """Waits for this failure; its last line on standard error holds each of the words."""
        got = self.wait(seconds)
        assert got == status, f"exit status {got}, not {status}: {self}\n{self.error_tail()}"
        last = self.stderr.strip()
        assert last, f"failed without a word: {self}"
        for word in [says] if isinstance(says, str) else says:
            assert word.lower() in last.lower(), f"{word!r} is not in what was said: {self}\n{self.error_tail()}"
        return self

    def __str__(self):
        return "pgconvoy " + shlex.join(self.arguments)
