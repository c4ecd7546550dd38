"""What the benches share: a server as the ones we compare with are measured, timing with CPU and memory, and a table of results."""
import os
import resource
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/lib"))
import scenario  # noqa: F401  (its Scenario gives the scratch folder and the servers)
from server import TOP

SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "16GB", "autovacuum": "off", "max_parallel_workers_per_gather": "0"}


class Measured:
    def __init__(self, seconds, cpu, peak_bytes=None):
        self.seconds = seconds
        self.cpu = cpu
        self.peak_bytes = peak_bytes


def timed(function):
    """Runs function() and measures it with the CPU time of the children it waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    run = function()
    seconds = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(seconds, cpu, getattr(run, "peak_rss", None) if run is not None else None)


def find_pgcopydb():
    """The one that bench/prepare has fetched, or one that is installed; None where there is none."""
    fetched = os.path.join(TOP, "third_party/pgcopydb/bin/pgcopydb")
    return fetched if os.path.exists(fetched) else shutil.which("pgcopydb")


class Table:
    """Results as they come; the first are the floors that the others are compared with, one for each name of a ratio. The median of the runs counts; each of several is
    in brackets."""

    def __init__(self, title, ratios=("ratio",)):
        self.ratios, self.floors = ratios, []
        print(f"\n{title}\n  {'what':<44}{'seconds':>9}{''.join(f'{name:>{self.width(name)}}' for name in ratios)}{'CPU s':>8}{'peak MB':>9}", flush=True)

    @staticmethod
    def width(name):
        return max(8, len(name) + 2)

    def add(self, what, measurements):
        seconds = statistics.median(measured.seconds for measured in measurements)
        cpu = statistics.median(measured.cpu for measured in measurements)
        peaks = [measured.peak_bytes for measured in measurements if measured.peak_bytes]
        if len(self.floors) < len(self.ratios):
            self.floors.append(seconds)
        ratios = [f"{seconds / floor:.2f}" for floor in self.floors] + [""] * (len(self.ratios) - len(self.floors))
        print(f"  {what:<44}{seconds:>9.2f}{''.join(f'{ratio:>{self.width(name)}}' for ratio, name in zip(ratios, self.ratios))}{cpu:>8.2f}"
              f"{max(peaks) / 1048576 if peaks else 0:>9.0f}"
              + (f"   ({', '.join(f'{measured.seconds:.1f}' for measured in measurements)})" if len(measurements) > 1 else ""), flush=True)
        return seconds / self.floors[0]


class Processes:
    """CPU seconds and private memory of a server's processes: of those that are there, and of those that have ended."""

    def __init__(self, server):
        with open(os.path.join(server.data, "postmaster.pid")) as file:
            self.pid = int(file.readline())

    def _children(self):
        try:
            with open(f"/proc/{self.pid}/task/{self.pid}/children") as file:
                return [self.pid, *map(int, file.read().split())]
        except OSError:
            return []

    def cpu(self):
        ticks = 0
        for pid in self._children():
            try:
                with open(f"/proc/{pid}/stat") as file:
                    ticks += sum(map(int, file.read().rsplit(")", 1)[1].split()[11:15]))
            except OSError:  # ended since; its parent has its time by now
                pass
        return ticks / os.sysconf("SC_CLK_TCK")

    def private_bytes(self):
        total = 0
        for pid in self._children():
            try:
                with open(f"/proc/{pid}/status") as file:
                    total += sum(int(line.split()[1]) << 10 for line in file if line.startswith("RssAnon:"))
            except OSError:
                pass
        return total


class Watched:
    """Measures function() with what it costs in both servers: CPU seconds of each, and how much private memory the target's processes gain."""

    def __init__(self, function, source, target):
        ends = {"source": Processes(source), "target": Processes(target)}
        before = {name: processes.cpu() for name, processes in ends.items()}
        least = peak = ends["target"].private_bytes()
        over = threading.Event()

        def look():
            nonlocal peak
            while not over.wait(0.1):
                peak = max(peak, ends["target"].private_bytes())

        thread = threading.Thread(target=look)
        thread.start()
        try:
            measured = timed(function)
        finally:
            over.set()
            thread.join()
        self.seconds = measured.seconds
        self.cpu = measured.cpu
        self.source_cpu = ends["source"].cpu() - before["source"]
        self.target_cpu = ends["target"].cpu() - before["target"]
        self.peak_bytes = (measured.peak_bytes or 0) + peak - least


def scratch():
    """A Scenario, on the disk that TMPDIR names."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped
    print(f"scratch folder below {tempfile.gettempdir()}, {os.cpu_count()} cores; look at ratios, not seconds")
    return scenario.Scenario()
